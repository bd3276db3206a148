package skewless.client;

import java.time.Instant;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** What the values of a field are: a scalar, or a list of scalars. */
record DType(Scalar scalar, boolean isList) {
    enum Scalar {
        BOOL(1), INT32(4), INT64(8), FLOAT32(4), FLOAT64(8), STRING(0), BYTES(0), TIMESTAMP(8);

        private final int width; // bytes in a flat row; 0: it has no place there

        Scalar(int width) {
            this.width = width;
        }

        /** A value that is not nil. */
        Object read(MessagePack in) {
            return switch (this) {
                case BOOL -> in.readBoolean();
                case INT32 -> in.readInt();
                case INT64 -> in.readLong();
                case FLOAT32 -> in.readFloat();
                case FLOAT64 -> in.readDouble();
                case STRING -> in.readText();
                case BYTES -> in.readBytes();
                case TIMESTAMP -> instant(in.readLong());
            };
        }
    }

    /** Malformed where this version does not know the name. */
    static DType parse(String name) {
        boolean isList = name.startsWith("array<") && name.endsWith(">");
        String scalar = isList ? name.substring(6, name.length() - 1) : name;
        for (Scalar known : Scalar.values()) {
            if (known.name().toLowerCase(Locale.ROOT).equals(scalar)) {
                return new DType(known, isList);
            }
        }
        throw new MessagePack.Malformed("it has the dtype '" + name + "', which this version does not know");
    }

    /** The bytes of a value in a flat row; 0 where rows with such a value are never flat. */
    int width() {
        return isList ? 0 : scalar.width;
    }

    /** A value that is not nil; the elements of a list may be null. */
    Object read(MessagePack in) {
        return isList ? readList(in) : scalar.read(in);
    }

    private List<Object> readList(MessagePack in) {
        Object[] items = new Object[in.readArray()];
        for (int i = 0; i < items.length; i++) {
            items[i] = in.skipNil() ? null : scalar.read(in);
        }
        return Collections.unmodifiableList(Arrays.asList(items));
    }

    /** The instant so many microseconds after 1970. */
    static Instant instant(long micros) {
        return Instant.ofEpochSecond(Math.floorDiv(micros, 1_000_000L), Math.floorMod(micros, 1_000_000L) * 1_000L);
    }

    @Override
    public String toString() {
        String name = scalar.name().toLowerCase(Locale.ROOT);
        return isList ? "array<" + name + ">" : name;
    }
}
