package skewless.client;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The golden files that bind every reader, and what is written in them. */
final class Golden {
    private static final Path FOLDER = Path.of(System.getProperty("basedir", "."), "..", "..", "tests", "golden", "online");

    private Golden() { }

    static JsonNode read(String name) {
        return read(FOLDER.resolve(name));
    }

    static JsonNode read(Path file) {
        try {
            return JsonMapper.shared().readTree(Files.readAllBytes(file));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static Path file(String name) {
        return FOLDER.resolve(name);
    }

    static byte[] bytes(JsonNode hex) {
        return HexFormat.of().parseHex(hex.asString().replace(" ", ""));
    }

    /** A join key's value, or a list of such. */
    static Object plain(JsonNode value) {
        if (value.isNull()) {
            return null;
        } else if (value.isBoolean()) {
            return value.booleanValue();
        } else if (value.isIntegralNumber()) {
            return value.longValue();
        } else if (value.isNumber()) {
            return value.doubleValue();
        } else if (value.isArray()) {
            List<Object> plain = new ArrayList<>();
            value.forEach(item -> plain.add(plain(item)));
            return plain;
        }
        return value.stringValue();
    }

    static Map<String, Object> entity(JsonNode keys) {
        Map<String, Object> entity = new LinkedHashMap<>();
        keys.properties().forEach(key -> entity.put(key.getKey(), plain(key.getValue())));
        return entity;
    }

    /** What must be equal for a value to be right: floats by their bits, integers of both widths alike. */
    static Object meant(JsonNode value) {
        if (value.isArray()) {
            List<Object> items = new ArrayList<>();
            value.forEach(item -> items.add(meant(item)));
            return items;
        } else if (!value.isObject()) {
            return plain(value);
        }
        Map.Entry<String, JsonNode> tagged = value.properties().iterator().next();
        return tagged.getKey() + " " + tagged.getValue().asString();
    }

    /** The same of a value that a reader gave. */
    static Object meant(Object value) {
        if (value instanceof List<?> items) {
            List<Object> meant = new ArrayList<>();
            items.forEach(item -> meant.add(meant(item)));
            return meant;
        } else if (value instanceof Float number) {
            return String.format("float32 %08x", Float.floatToRawIntBits(number));
        } else if (value instanceof Double number) {
            return String.format("float64 %016x", Double.doubleToRawLongBits(number));
        } else if (value instanceof Instant instant) {
            return "timestamp " + micros(instant);
        } else if (value instanceof byte[] bytes) {
            return "bytes " + HexFormat.of().formatHex(bytes);
        }
        return value instanceof Integer number ? (Object) number.longValue() : value;
    }

    static long micros(Instant instant) {
        return Math.addExact(Math.multiplyExact(instant.getEpochSecond(), 1_000_000L), instant.getNano() / 1_000);
    }

    static List<JsonNode> items(JsonNode array) {
        List<JsonNode> items = new ArrayList<>();
        array.forEach(items::add);
        return items;
    }
}
