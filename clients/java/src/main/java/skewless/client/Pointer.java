package skewless.client;

import java.time.Instant;

/** Which generation of a view is live, in which epoch, and since which flip. */
record Pointer(long flip, long generation, long epoch, Instant snapshotTime) {
    /** The only format of pointers and metas that this version reads. */
    static final int FORMAT = 1;

    /** Malformed where it is no pointer, or one of another format. */
    static Pointer read(MessagePack in) {
        int count = in.readArray();
        demandFormat(in, count, 5);
        Pointer pointer = new Pointer(in.readLong(), in.readLong(), in.readLong(), DType.instant(in.readLong()));
        skipUnknown(in, count - 5);
        return pointer;
    }

    /** Reads the first element of a pointer or meta, before anything else in it is believed. */
    static void demandFormat(MessagePack in, int count, int known) {
        if (count == 0) {
            throw new MessagePack.Malformed("it is empty");
        }
        long format = in.readLong();
        if (format != FORMAT) {
            throw new MessagePack.Malformed("it has format " + format + ", and this version reads format " + FORMAT);
        }
        if (count < known) {
            throw new MessagePack.Malformed("it has " + count + " elements, and " + known + " are needed");
        }
    }

    /** Elements that a later version added behind the last of a pointer or meta. */
    static void skipUnknown(MessagePack in, int count) {
        for (int i = 0; i < count; i++) {
            in.skip();
        }
        in.finish();
    }
}
