package skewless.client;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** The values that one MGET replied, end to end in one array of bytes. */
final class Values {
    private static final int USUAL_SIZE = 96;

    private byte[] bytes = new byte[0];
    private int[] ends = new int[0]; // of a value that is nil, the complement
    private int count;

    /** Forgets what is there: so many values follow. */
    void begin(int expected) {
        count = 0;
        ends = new int[expected];
        bytes = new byte[expected * USUAL_SIZE];
    }

    /** Takes the next value; null: there is no such key. */
    void add(ByteBuffer value) {
        int start = size();
        if (count == ends.length) {
            ends = Arrays.copyOf(ends, count + 16);
        }
        if (value == null) {
            ends[count++] = ~start;
            return;
        }
        int end = start + value.remaining();
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(end, 2 * bytes.length));
        }
        value.get(bytes, start, value.remaining());
        ends[count++] = end;
    }

    int count() {
        return count;
    }

    boolean isNil(int index) {
        return ends[index] < 0;
    }

    /** Lets a reader read a value that is not nil. */
    MessagePack open(int index, MessagePack reader) {
        return reader.open(bytes, start(index), end(index));
    }

    /** Whether a value has the same bytes as another. */
    boolean same(int index, Values others, int other) {
        return isNil(index) == others.isNil(other) && Arrays.equals(bytes, start(index), end(index),
                others.bytes, others.start(other), others.end(other));
    }

    private int size() {
        return count == 0 ? 0 : end(count - 1);
    }

    private int start(int index) {
        return index == 0 ? 0 : end(index - 1);
    }

    private int end(int index) {
        return ends[index] < 0 ? ~ends[index] : ends[index];
    }
}
