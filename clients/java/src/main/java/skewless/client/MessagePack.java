package skewless.client;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads MessagePack from a part of an array of bytes, without objects in between. Integers may have any width. */
final class MessagePack {
    /** The bytes are not what they should be; whoever knows whose they are says so. */
    static final class Malformed extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Malformed(String message) {
            super(message, null, false, false);
        }
    }

    private static final VarHandle SHORT = big(short[].class);
    private static final VarHandle INT = big(int[].class);
    private static final VarHandle LONG = big(long[].class);

    private byte[] bytes;
    private int position;
    private int end;

    /** Reads from {@code start} up to, and without, {@code end}. */
    MessagePack open(byte[] bytes, int start, int end) {
        this.bytes = bytes;
        this.position = start;
        this.end = end;
        return this;
    }

    static MessagePack of(byte[] bytes) {
        return new MessagePack().open(bytes, 0, bytes.length);
    }

    /** Demands that nothing follows. */
    void finish() {
        if (position != end) {
            throw new Malformed((end - position) + " bytes follow behind its end");
        }
    }

    /** Whether a nil comes next; if so, it is passed. */
    boolean skipNil() {
        need(1);
        if (bytes[position] != (byte) 0xc0) {
            return false;
        }
        position++;
        return true;
    }

    /** Whether an array comes next. */
    boolean isArray() {
        need(1);
        int head = bytes[position] & 0xff;
        return (head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd;
    }

    /** Whether a binary comes next. */
    boolean isBytes() {
        need(1);
        int head = bytes[position] & 0xff;
        return head >= 0xc4 && head <= 0xc6;
    }

    /** Passes the head of a binary that has so many bytes: what follows is read by the methods for flat values. */
    void openFlat(int expected) {
        int size = size(head(), 0xc4, 0xc5, 0xc6, "bytes");
        if (size != expected) {
            throw new Malformed("a row has " + size + " bytes instead of " + expected);
        }
        need(size);
    }

    boolean flatBoolean() {
        return bytes[take(1)] != 0;
    }

    int flatInt() {
        return (int) INT.get(bytes, take(4));
    }

    long flatLong() {
        return (long) LONG.get(bytes, take(8));
    }

    float flatFloat() {
        return Float.intBitsToFloat(flatInt());
    }

    double flatDouble() {
        return Double.longBitsToDouble(flatLong());
    }

    /** Passes so many bytes. */
    void pass(int count) {
        take(count);
    }

    boolean readBoolean() {
        int head = head();
        if (head != 0xc2 && head != 0xc3) {
            throw unlike("a bool", head);
        }
        return head == 0xc3;
    }

    float readFloat() {
        int head = head();
        if (head != 0xca) {
            throw unlike("a float32", head);
        }
        return flatFloat();
    }

    double readDouble() {
        int head = head();
        if (head != 0xcb) {
            throw unlike("a float64", head);
        }
        return flatDouble();
    }

    long readLong() {
        int head = head();
        return switch (head) {
            case 0xcc -> bytes[take(1)] & 0xff;
            case 0xcd -> (short) SHORT.get(bytes, take(2)) & 0xffff;
            case 0xce -> (int) INT.get(bytes, take(4)) & 0xffff_ffffL;
            case 0xcf -> unsigned((long) LONG.get(bytes, take(8)));
            case 0xd0 -> bytes[take(1)];
            case 0xd1 -> (short) SHORT.get(bytes, take(2));
            case 0xd2 -> (int) INT.get(bytes, take(4));
            case 0xd3 -> (long) LONG.get(bytes, take(8));
            default -> fixed(head);
        };
    }

    int readInt() {
        long value = readLong();
        if (value != (int) value) {
            throw new Malformed(value + " stands where an int32 should be");
        }
        return (int) value;
    }

    String readText() {
        int head = head();
        int size = (head & 0xe0) == 0xa0 ? head & 0x1f : size(head, 0xd9, 0xda, 0xdb, "a string");
        int start = take(size);
        String text = new String(bytes, start, size, StandardCharsets.UTF_8);
        if (text.indexOf('\uFFFD') >= 0) { // what the constructor puts for bytes that are no UTF-8
            demandUtf8(start, size);
        }
        return text;
    }

    byte[] readBytes() {
        int size = size(head(), 0xc4, 0xc5, 0xc6, "bytes");
        int start = take(size);
        return Arrays.copyOfRange(bytes, start, start + size);
    }

    /** The count of the elements that follow; never more than there are bytes left. */
    int readArray() {
        int head = head();
        int count = (head & 0xf0) == 0x90 ? head & 0x0f : size(head, -1, 0xdc, 0xdd, "an array");
        need(count);
        return count;
    }

    /** Passes one value of any type. */
    void skip() {
        for (long left = 1; left > 0; left--) {
            left += skipHead();
        }
    }

    /** Passes one value, and copies its bytes. */
    byte[] copy() {
        int start = position;
        skip();
        return Arrays.copyOfRange(bytes, start, position);
    }

    /** Passes a value but for the elements within, and gives their count. */
    private long skipHead() {
        int head = head();
        switch (head) {
            case 0xc0, 0xc2, 0xc3 -> { }
            case 0xc4, 0xd9 -> take(bytes[take(1)] & 0xff);
            case 0xc5, 0xda -> take((short) SHORT.get(bytes, take(2)) & 0xffff);
            case 0xc6, 0xdb -> take(length());
            case 0xcc, 0xd0 -> take(1);
            case 0xcd, 0xd1 -> take(2);
            case 0xca, 0xce, 0xd2 -> take(4);
            case 0xcb, 0xcf, 0xd3 -> take(8);
            case 0xdc -> {
                return (short) SHORT.get(bytes, take(2)) & 0xffff;
            }
            case 0xdd -> {
                return length();
            }
            default -> {
                return skipShort(head);
            }
        }
        return 0;
    }

    private int skipShort(int head) {
        if ((head & 0xe0) == 0xa0) {
            take(head & 0x1f);
        } else if ((head & 0xf0) == 0x90) {
            return head & 0x0f;
        } else if (head >= 0x80 && head < 0xe0) {
            throw unlike("a value of a known type", head);
        }
        return 0;
    }

    private int head() {
        return bytes[take(1)] & 0xff;
    }

    /** Passes so many bytes, and gives where they start. */
    private int take(int count) {
        need(count);
        int start = position;
        position += count;
        return start;
    }

    private void need(int count) {
        if (count > end - position) {
            throw new Malformed("it ends early");
        }
    }

    private int length() {
        int length = (int) INT.get(bytes, take(4));
        if (length < 0) {
            throw new Malformed("it ends early");
        }
        return length;
    }

    private int size(int head, int one, int two, int four, String wanted) {
        if (head == one) {
            return bytes[take(1)] & 0xff;
        } else if (head == two) {
            return (short) SHORT.get(bytes, take(2)) & 0xffff;
        } else if (head == four) {
            return length();
        }
        throw unlike(wanted, head);
    }

    private static long fixed(int head) {
        if (head >= 0x80 && head < 0xe0) {
            throw unlike("an integer", head);
        }
        return (byte) head;
    }

    private static long unsigned(long value) {
        if (value < 0) {
            throw new Malformed(Long.toUnsignedString(value) + " stands where an int64 should be");
        }
        return value;
    }

    private void demandUtf8(int start, int size) {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, start, size));
        } catch (CharacterCodingException error) {
            throw new Malformed("a text in it is not UTF-8");
        }
    }

    private static Malformed unlike(String wanted, int head) {
        return new Malformed(String.format("a value that begins with %02x stands where %s should be", head, wanted));
    }

    private static VarHandle big(Class<?> words) {
        return MethodHandles.byteArrayViewVarHandle(words, ByteOrder.BIG_ENDIAN);
    }
}
