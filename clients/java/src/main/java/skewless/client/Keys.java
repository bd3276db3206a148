package skewless.client;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/** The names of everything in the online store: pure, readable, no two things share one. */
final class Keys {
    private static final Pattern NAMESPACE = Pattern.compile("[A-Za-z0-9_-]+");

    private final String tag;

    /** The keys of a view; the braces are Redis' hash tag, so that a Cluster keeps them on one shard. */
    Keys(String namespace, String view) {
        this.tag = "{" + namespace + ":" + view + "}:";
    }

    byte[] pointer() {
        return bytes(tag + "p");
    }

    byte[] alive() {
        return bytes(tag + "a");
    }

    byte[] meta(long epoch) {
        return bytes(tag + "m:" + epoch);
    }

    /** What the keys of an epoch's entities begin with. */
    String entities(long epoch) {
        return tag + epoch + ":";
    }

    static byte[] service(String namespace, String service) {
        return bytes(namespace + ":service:" + service);
    }

    static String demandNamespace(String namespace) {
        if (!NAMESPACE.matcher(namespace).matches()) {
            throw new FeatureStoreException.Usage(
                    "'" + namespace + "' is no namespace; it has letters, digits, _ and - only");
        }
        return namespace;
    }

    /**
     * Joins an entity's key values; null where one of them is null, which is an entity without rows.
     *
     * <p>Usage where a value is not of its kind: no reader guesses that "7" means 7.
     */
    static String entity(Object[] values, List<Meta.JoinKey> keys) {
        StringBuilder joined = new StringBuilder();
        boolean hasNull = false;
        for (int i = 0; i < values.length; i++) {
            if (i > 0) {
                joined.append('|');
            }
            if (values[i] == null) {
                hasNull = true;
            } else {
                append(joined, values[i], keys.get(i));
            }
        }
        return hasNull ? null : joined.toString();
    }

    static byte[] bytes(String key) {
        return key.getBytes(StandardCharsets.UTF_8);
    }

    private static void append(StringBuilder joined, Object value, Meta.JoinKey key) {
        boolean isInteger = value instanceof Integer || value instanceof Long || value instanceof Short
                || value instanceof Byte || value instanceof BigInteger;
        if (key.kind() == Meta.Kind.INTEGER && isInteger) {
            joined.append(value);
        } else if (key.kind() == Meta.Kind.STRING && value instanceof String text) {
            appendEscaped(joined, text);
        } else {
            String kind = key.kind() == Meta.Kind.INTEGER ? "integer" : "string";
            throw new FeatureStoreException.Usage("join key " + key.name() + " is " + value + ", "
                    + value.getClass().getSimpleName() + ", and no " + kind + "; pass it with the type that the source has");
        }
    }

    /** Percent-encodes what would end a key's part, or a line. */
    private static void appendEscaped(StringBuilder joined, String text) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (unit < 0x20 || unit == 0x7f || unit == '%' || unit == '|') {
                joined.append('%').append(hex(unit >> 4)).append(hex(unit & 0x0f));
            } else if (!Character.isSurrogate(unit)) {
                joined.append(unit);
            } else if (Character.isSupplementaryCodePoint(text.codePointAt(i))) {
                joined.append(unit).append(text.charAt(++i));
            } else {
                throw new FeatureStoreException.Usage("a join key's text has half a character at " + i
                        + ", a lone surrogate; no source has such a text");
            }
        }
    }

    private static char hex(int digit) {
        return Character.toUpperCase(Character.forDigit(digit, 16));
    }
}
