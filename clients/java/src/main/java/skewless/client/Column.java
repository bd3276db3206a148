package skewless.client;

/** The values of one feature, one per entity, as they are: numbers are not boxed before someone asks for objects. */
abstract sealed class Column {
    final DType dtype;

    private Column(DType dtype) {
        this.dtype = dtype;
    }

    static Column of(DType dtype, int size) {
        if (dtype.isList()) {
            return new Objects(dtype, size);
        }
        return switch (dtype.scalar()) {
            case FLOAT32 -> new Floats(dtype, size);
            case FLOAT64 -> new Doubles(dtype, size);
            case INT32, INT64, TIMESTAMP -> new Longs(dtype, size);
            case BOOL, STRING, BYTES -> new Objects(dtype, size);
        };
    }

    /** Takes the next value as that of a row. */
    abstract void read(MessagePack in, int row);

    /** The same of a flat row. */
    abstract void readFlat(MessagePack in, int row);

    abstract boolean isNull(int row);

    /** A row's value; null where it has none. */
    abstract Object get(int row);

    /** Numbers, and which of them are null. */
    private abstract static sealed class Numbers extends Column {
        private final boolean[] nulls;

        private Numbers(DType dtype, int size) {
            super(dtype);
            nulls = new boolean[size];
        }

        final boolean skipsNull(MessagePack in, int row) {
            nulls[row] = in.skipNil();
            return nulls[row];
        }

        @Override
        final boolean isNull(int row) {
            return nulls[row];
        }
    }

    static final class Floats extends Numbers {
        final float[] values;

        private Floats(DType dtype, int size) {
            super(dtype, size);
            values = new float[size];
        }

        @Override
        void read(MessagePack in, int row) {
            values[row] = skipsNull(in, row) ? Float.NaN : in.readFloat();
        }

        @Override
        void readFlat(MessagePack in, int row) {
            values[row] = in.flatFloat();
        }

        @Override
        Object get(int row) {
            return isNull(row) ? null : (Object) values[row];
        }
    }

    static final class Doubles extends Numbers {
        final double[] values;

        private Doubles(DType dtype, int size) {
            super(dtype, size);
            values = new double[size];
        }

        @Override
        void read(MessagePack in, int row) {
            values[row] = skipsNull(in, row) ? Double.NaN : in.readDouble();
        }

        @Override
        void readFlat(MessagePack in, int row) {
            values[row] = in.flatDouble();
        }

        @Override
        Object get(int row) {
            return isNull(row) ? null : (Object) values[row];
        }
    }

    /** Integers, and timestamps in microseconds since 1970. */
    static final class Longs extends Numbers {
        final long[] values;

        private Longs(DType dtype, int size) {
            super(dtype, size);
            values = new long[size];
        }

        @Override
        void read(MessagePack in, int row) {
            if (!skipsNull(in, row)) {
                values[row] = dtype.scalar() == DType.Scalar.INT32 ? in.readInt() : in.readLong();
            }
        }

        @Override
        void readFlat(MessagePack in, int row) {
            values[row] = dtype.scalar() == DType.Scalar.INT32 ? in.flatInt() : in.flatLong();
        }

        @Override
        Object get(int row) {
            if (isNull(row)) {
                return null;
            }
            return switch (dtype.scalar()) {
                case INT32 -> (Object) (int) values[row];
                case TIMESTAMP -> DType.instant(values[row]);
                default -> values[row];
            };
        }
    }

    static final class Objects extends Column {
        private final Object[] values;

        private Objects(DType dtype, int size) {
            super(dtype);
            values = new Object[size];
        }

        @Override
        void read(MessagePack in, int row) {
            values[row] = in.skipNil() ? null : dtype.read(in);
        }

        @Override
        void readFlat(MessagePack in, int row) {
            values[row] = in.flatBoolean(); // of what is held as objects, truths alone have one width
        }

        @Override
        boolean isNull(int row) {
            return values[row] == null;
        }

        @Override
        Object get(int row) {
            return values[row];
        }
    }

    @Override
    public String toString() {
        return dtype.toString();
    }
}
