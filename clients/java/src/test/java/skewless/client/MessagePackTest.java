package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

class MessagePackTest {
    private static final JsonNode VALUES = Golden.read("values.json");

    @TestFactory
    Stream<DynamicTest> valuesAreReadAsWritten() {
        return Golden.items(VALUES.get("values")).stream().map(vector -> DynamicTest.dynamicTest(
                vector.get("dtype").asString() + " " + vector.get("hex").asString(), () -> valueIsReadAsWritten(vector)));
    }

    private static void valueIsReadAsWritten(JsonNode vector) {
        DType dtype = DType.parse(vector.get("dtype").asString());
        byte[] packed = packed(vector);
        Column column = Column.of(dtype, 1);
        MessagePack in = MessagePack.of(packed);
        column.read(in, 0);
        in.finish();
        assertEquals(meant(vector), Golden.meant(column.get(0)));
        MessagePack skipped = MessagePack.of(packed);
        skipped.skip();
        skipped.finish();
        for (int size : new int[] {0, packed.length / 2, packed.length - 1}) {
            MessagePack torn = new MessagePack().open(packed, 0, size);
            assertThrows(MessagePack.Malformed.class, torn::skip);
            assertThrows(MessagePack.Malformed.class, () -> column.read(torn.open(packed, 0, size), 0));
        }
    }

    private static byte[] packed(JsonNode vector) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(Golden.bytes(vector.get("hex")));
        if (vector.has("repeat")) {
            out.writeBytes(repeated(vector));
        }
        return out.toByteArray();
    }

    private static byte[] repeated(JsonNode vector) {
        JsonNode item = vector.get("repeat").get(0);
        boolean isBytes = vector.get("dtype").asString().equals("bytes");
        byte[] once = isBytes ? Golden.bytes(item) : item.asString().getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        IntStream.range(0, vector.get("repeat").get(1).asInt()).forEach(time -> out.writeBytes(once));
        return out.toByteArray();
    }

    /** What the vector says that its bytes mean; of a float the bytes say it best. */
    private static Object meant(JsonNode vector) {
        String dtype = vector.get("dtype").asString();
        if (vector.has("repeat")) {
            byte[] bytes = repeated(vector);
            return dtype.equals("bytes") ? "bytes " + HexFormat.of().formatHex(bytes) : new String(bytes, StandardCharsets.UTF_8);
        }
        return meant(dtype, vector.path("value"), vector.path("bits").asString(""), vector.get("hex").asString());
    }

    private static Object meant(String dtype, JsonNode value, String bits, String hex) {
        if (value.isArray()) {
            String element = dtype.substring(6, dtype.length() - 1);
            List<Object> meant = new ArrayList<>();
            value.forEach(item -> meant.add(meant(element, item, "", "")));
            return meant;
        } else if (value.isNull()) {
            return null;
        }
        return switch (dtype) {
            case "float32" -> hex.isEmpty() ? Golden.meant((Object) value.floatValue()) : "float32 " + hex.substring(2);
            case "float64" -> hex.isEmpty() ? Golden.meant((Object) value.doubleValue()) : "float64 " + hex.substring(2);
            case "timestamp" -> "timestamp " + value.asLong();
            case "bytes" -> "bytes " + value.asString();
            default -> Golden.plain(value);
        };
    }

    @Test
    void pointersAndMetasAreReadAsWritten() {
        JsonNode wanted = VALUES.get("pointers").get(0);
        Pointer pointer = Pointer.read(MessagePack.of(Golden.bytes(wanted.get("hex"))));
        assertEquals(new Pointer(wanted.get("flip").asLong(), wanted.get("generation").asLong(),
                wanted.get("epoch").asLong(), DType.instant(wanted.get("snapshot_time").asLong())), pointer);
        JsonNode described = VALUES.get("metas").get(0);
        Meta meta = Meta.read(MessagePack.of(Golden.bytes(described.get("hex"))));
        assertEquals("[JoinKey[name=origin, kind=STRING], JoinKey[name=number, kind=INTEGER]]", meta.keys().toString());
        assertEquals("[Field[name=count, dtype=int64], Field[name=mean, dtype=float32]]", meta.fields().toString());
        Rows rows = new Rows(meta, "view", features("count", "mean"), 2);
        rows.readConstant(meta.absent(), 0);
        rows.readConstant(meta.expired(), 1);
        assertEquals(Golden.plain(described.get("absent")), values(rows, 0));
        assertEquals(Golden.plain(described.get("expired")), values(rows, 1));
    }

    @Test
    void servicesAreReadAsWritten() {
        byte[] packed = Golden.bytes(VALUES.get("services").get(1).get("hex"));
        assertEquals("[Feature[source=stats, view=stats, field=mark, name=stats__mark, keys=null], "
                + "Feature[source=other, view=stats, field=mark, name=other__mark, keys={user_id=payee}]]",
                Feature.readService(MessagePack.of(packed)).toString());
    }

    @TestFactory
    Stream<DynamicTest> slotsAreReadAsWritten() {
        return Golden.items(VALUES.get("reads")).stream().map(
                read -> DynamicTest.dynamicTest(read.get("meaning").asString(), () -> slotsAreReadAsWritten(read)));
    }

    private static void slotsAreReadAsWritten(JsonNode read) {
        byte[] absent = Pack.pack(Arrays.asList(-1L, "absent"));
        Meta meta = new Meta(List.of(), List.of(new Meta.Field("number", DType.parse("int64")),
                new Meta.Field("text", DType.parse("string"))), Map.of("number", 0, "text", 1), absent, absent);
        Rows rows = new Rows(meta, "view", features("number", "text"), 1);
        byte[] packed = Golden.bytes(VALUES.get("slots").get(read.get("slots").asInt()).get("hex"));
        rows.readSlots(MessagePack.of(packed), read.get("generation").asLong(), 0);
        Object wanted = read.get("row").isNull() ? List.of(-1L, "absent") : Golden.plain(read.get("row"));
        assertEquals(wanted, values(rows, 0));
    }

    @Test
    void whatIsOfNoKnownTypeIsMalformed() {
        for (int head : new int[] {0x80, 0x8f, 0xc1, 0xc7, 0xc9, 0xd4, 0xd8, 0xde, 0xdf}) {
            byte[] bytes = new byte[40];
            bytes[0] = (byte) head;
            assertThrows(MessagePack.Malformed.class, () -> MessagePack.of(bytes).skip());
        }
    }

    @Test
    void countsThatLieAskForNoMemory() {
        byte[] array = HexFormat.of().parseHex("dd7fffffff");
        byte[] text = HexFormat.of().parseHex("dbffffffff");
        assertThrows(MessagePack.Malformed.class, () -> DType.parse("array<int64>").read(MessagePack.of(array)));
        assertThrows(MessagePack.Malformed.class, () -> DType.parse("string").read(MessagePack.of(text)));
        assertThrows(MessagePack.Malformed.class, () -> MessagePack.of(array).skip());
    }

    @Test
    void numbersThatDoNotFitAndTextsThatAreNoneAreMalformed() {
        assertMalformed("int32", "d30000000080000000");
        assertMalformed("int64", "cfffffffffffffffff");
        assertMalformed("int64", "ca3f800000");
        assertMalformed("float64", "ca3f800000");
        assertMalformed("float32", "d30000000000000001");
        assertMalformed("string", "a1ff");
        assertMalformed("string", "c401ff");
        assertMalformed("bytes", "a161");
        assertEquals("\ufffd", DType.parse("string").read(MessagePack.of(HexFormat.of().parseHex("a3efbfbd"))));
    }

    private static void assertMalformed(String dtype, String hex) {
        MessagePack in = MessagePack.of(HexFormat.of().parseHex(hex));
        assertThrows(MessagePack.Malformed.class, () -> DType.parse(dtype).read(in), dtype + " " + hex);
    }

    @Test
    void integersAreReadInEveryWidth() {
        List<String> packed = List.of("7f", "e0", "ccff", "cdffff", "ceffffffff", "cf7fffffffffffffff",
                "d080", "d18000", "d280000000", "d38000000000000000");
        List<Long> wanted = List.of(127L, -32L, 255L, 65535L, 4294967295L, Long.MAX_VALUE,
                -128L, -32768L, -2147483648L, Long.MIN_VALUE);
        assertEquals(wanted, packed.stream().map(hex -> MessagePack.of(HexFormat.of().parseHex(hex)).readLong()).toList());
        packed.forEach(hex -> {
            MessagePack in = MessagePack.of(HexFormat.of().parseHex(hex));
            in.skip();
            in.finish();
        });
    }

    private static List<Feature> features(String... fields) {
        return Arrays.stream(fields).map(field -> Feature.parse("view:" + field)).toList();
    }

    private static List<Object> values(Rows rows, int row) {
        List<Object> values = new ArrayList<>();
        rows.columns().values().forEach(column -> values.add(column.get(row)));
        return values;
    }
}
