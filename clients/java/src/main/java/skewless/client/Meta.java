package skewless.client;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** How the rows of an epoch are to be read. The constant rows stay packed: they are read as all others are. */
record Meta(List<JoinKey> keys, List<Field> fields, Map<String, Integer> positions, byte[] absent, byte[] expired) {
    enum Kind { STRING, INTEGER }

    record JoinKey(String name, Kind kind) { }

    record Field(String name, DType dtype) { }

    /** Malformed where it is no meta, or one that this version does not understand. */
    static Meta read(MessagePack in) {
        int count = in.readArray();
        Pointer.demandFormat(in, count, 6);
        in.skip(); // the fingerprint, which is for publishers
        List<JoinKey> keys = readPairs(in, (name, kind) -> new JoinKey(name, kind(kind)));
        List<Field> fields = readPairs(in, (name, dtype) -> new Field(name, DType.parse(dtype)));
        Meta meta = new Meta(keys, fields, positions(fields), in.copy(), in.copy());
        Pointer.skipUnknown(in, count - 6);
        Rows.demandConstants(meta);
        return meta;
    }

    List<String> keyNames() {
        return keys.stream().map(JoinKey::name).toList();
    }

    /** The bytes of a flat row; 0 where no row is flat, since a dtype has many widths. */
    int flatWidth() {
        int sum = 0;
        for (Field field : fields) {
            if (field.dtype().width() == 0) {
                return 0;
            }
            sum += field.dtype().width();
        }
        return sum;
    }

    private static <T> List<T> readPairs(MessagePack in, BiFunction<String, String, T> make) {
        int count = in.readArray();
        List<T> pairs = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            if (in.readArray() != 2) {
                throw new MessagePack.Malformed("a key or field in it is no pair");
            }
            pairs.add(make.apply(in.readText(), in.readText()));
        }
        return List.copyOf(pairs);
    }

    private static Kind kind(String name) {
        return switch (name) {
            case "string" -> Kind.STRING;
            case "integer" -> Kind.INTEGER;
            default -> throw new MessagePack.Malformed(
                    "it has a join key of kind '" + name + "', which this version does not know");
        };
    }

    private static Map<String, Integer> positions(List<Field> fields) {
        Map<String, Integer> positions = new HashMap<>();
        for (int i = 0; i < fields.size(); i++) {
            positions.put(fields.get(i).name(), i);
        }
        return Map.copyOf(positions);
    }
}
