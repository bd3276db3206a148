package skewless.client;

import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * One feature of a request.
 *
 * @param source the view, or the alias, as which it was asked for
 * @param view   what is read
 * @param field  the field of the view
 * @param name   the name in results, {@code <source>__<field>}
 * @param keys   of an alias: by join key, the key under which the caller's entity has it; otherwise null
 */
record Feature(String source, String view, String field, String name, Map<String, String> keys) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9_]*");

    /** Reads {@code view:field}; Usage where it is nothing of that form. */
    static Feature parse(String feature) {
        String[] parts = split(feature);
        if (parts == null) {
            throw new FeatureStoreException.Usage(
                    "'" + feature + "' names no feature; write view:field, or the name of a service");
        }
        return new Feature(parts[0], parts[0], parts[1], parts[0] + "__" + parts[1], null);
    }

    /** Whether a text, which has no colon, may be the name of a service. */
    static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    /** Reads what a service has of features. */
    static Set<Feature> readService(MessagePack in) {
        Set<Feature> features = new LinkedHashSet<>();
        int count = in.readArray();
        for (int i = 0; i < count; i++) {
            features.add(in.isArray() ? readAliased(in) : reference(in.readText()));
        }
        in.finish();
        return features;
    }

    private static Feature readAliased(MessagePack in) {
        int count = in.readArray();
        if (count < 4 || count % 2 != 0) {
            throw new MessagePack.Malformed("an aliased feature in it has " + count + " texts");
        }
        Feature named = reference(in.readText());
        Feature meant = reference(in.readText());
        Map<String, String> keys = new TreeMap<>();
        for (int i = 2; i < count; i += 2) {
            if (keys.put(in.readText(), in.readText()) != null) {
                throw new MessagePack.Malformed("'" + named.name + "' in it has a join key twice");
            }
        }
        if (!named.field.equals(meant.field)) {
            throw new MessagePack.Malformed("'" + named.name + "' in it is to be another field, " + meant.name);
        }
        return new Feature(named.source, meant.view, meant.field, named.name, keys);
    }

    private static Feature reference(String feature) {
        if (split(feature) == null) {
            throw new MessagePack.Malformed("'" + feature + "' in it names no feature");
        }
        return parse(feature);
    }

    /** Demands that one name means one thing in a request; no feature is in it twice. */
    static void demandAgreement(Collection<Feature> features) {
        Map<String, Feature> known = new HashMap<>();
        for (Feature feature : features) {
            Feature source = known.putIfAbsent(feature.source, feature);
            Feature same = known.putIfAbsent(feature.name, feature);
            if (same != null || (source != null && !source.sameSource(feature))) {
                Feature other = same != null ? same : source;
                throw new FeatureStoreException.Usage("'" + feature.name + "' and '" + other.name + "' of one request are "
                        + feature.meaning() + " and " + other.meaning() + "; ask for them in two");
            }
        }
    }

    private boolean sameSource(Feature other) {
        return view.equals(other.view) && Objects.equals(keys, other.keys);
    }

    private String meaning() {
        return view + ":" + field + (keys == null ? "" : " by the keys " + keys);
    }

    private static String[] split(String feature) {
        int colon = feature.indexOf(':');
        boolean isNamed = colon > 0 && colon < feature.length() - 1 && isName(feature.substring(0, colon));
        return isNamed ? new String[] {feature.substring(0, colon), feature.substring(colon + 1)} : null;
    }
}
