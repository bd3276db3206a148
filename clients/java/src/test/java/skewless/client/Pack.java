package skewless.client;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Writes MessagePack as publishers do: Long, Float, null, Strings up to 255 bytes, and lists of fewer than sixteen of them. */
final class Pack {
    private Pack() { }

    static byte[] pointer(long flip, long generation, long epoch) {
        return pack(List.of(1L, flip, generation, epoch, 1_700_000_000_000_000L));
    }

    /** Of a view with one integer join key, user_id, and fields of int64; absent rows have -1, expired ones -2. */
    static byte[] meta(String... fields) {
        List<Object> described = Arrays.stream(fields).map(field -> (Object) List.of(field, "int64")).toList();
        return pack(List.of(1L, "fingerprint", List.of(List.of("user_id", "integer")), described,
                Collections.nCopies(fields.length, -1L), Collections.nCopies(fields.length, -2L)));
    }

    /** An entity as a full publish writes it. */
    static byte[] entity(long generation, Object... row) {
        return pack(Arrays.asList(generation, Arrays.asList(row), 0L, null));
    }

    static byte[] pack(Object value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        write(out, value);
        return out.toByteArray();
    }

    private static void write(ByteArrayOutputStream out, Object value) {
        if (value == null) {
            out.write(0xc0);
        } else if (value instanceof Long number) {
            out.write(0xd3);
            out.writeBytes(ByteBuffer.allocate(8).putLong(number).array());
        } else if (value instanceof Float number) {
            out.write(0xca);
            out.writeBytes(ByteBuffer.allocate(4).putFloat(number).array());
        } else if (value instanceof String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            if (bytes.length < 32) {
                out.write(0xa0 | bytes.length);
            } else {
                out.writeBytes(new byte[] {(byte) 0xd9, (byte) bytes.length});
            }
            out.writeBytes(bytes);
        } else {
            List<?> items = (List<?>) value;
            out.write(0x90 | items.size());
            items.forEach(item -> write(out, item));
        }
    }
}
