package skewless.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The values that a lookup gave: one row per entity, one column per feature, named {@code <view>__<field>}.
 *
 * <p>Values are of these types, or null: Boolean, Integer (int32), Long (int64), Float, Double, String, byte[], Instant
 * (timestamp), and lists of them. The arrays of {@link #floats}, {@link #doubles} and {@link #longs} are not copied.
 */
public final class Answer {
    private final Map<String, Column> columns;
    private final int size;
    private final Map<String, Served> views;

    Answer(Map<String, Column> columns, int size, Map<String, Served> views) {
        this.columns = columns;
        this.size = size;
        this.views = Collections.unmodifiableMap(views);
    }

    /** The names of the features, in the order in which they were asked for. */
    public List<String> names() {
        return List.copyOf(columns.keySet());
    }

    /** How many entities were asked for. */
    public int size() {
        return size;
    }

    /** What each view, or alias, was answered from. */
    public Map<String, Served> views() {
        return views;
    }

    /** A feature's value for an entity, null where it has none. */
    public Object value(String name, int row) {
        return column(name).get(row);
    }

    /** Whether a feature has no value for an entity. */
    public boolean isNull(String name, int row) {
        return column(name).isNull(row);
    }

    /** The values of a float32 feature, bit by bit; where {@link #isNull}, NaN. */
    public float[] floats(String name) {
        if (column(name) instanceof Column.Floats found) {
            return found.values;
        }
        throw unlike(name, "float32");
    }

    /** The values of a float64 feature; where {@link #isNull}, NaN. */
    public double[] doubles(String name) {
        if (column(name) instanceof Column.Doubles found) {
            return found.values;
        }
        throw unlike(name, "float64");
    }

    /** The values of an integer feature, or a timestamp's microseconds since 1970; where {@link #isNull}, 0. */
    public long[] longs(String name) {
        if (column(name) instanceof Column.Longs found) {
            return found.values;
        }
        throw unlike(name, "int32, int64 or timestamp");
    }

    /** An entity's values, in the order of {@link #names}. */
    public List<Object> values(int row) {
        Object[] values = new Object[columns.size()];
        int place = 0;
        for (Column column : columns.values()) {
            values[place++] = column.get(row);
        }
        return Collections.unmodifiableList(Arrays.asList(values));
    }

    /** Every entity's values by name, in the order of the entities. */
    public List<Map<String, Object>> rows() {
        List<Map<String, Object>> rows = new ArrayList<>(size);
        for (int row = 0; row < size; row++) {
            Map<String, Object> values = new LinkedHashMap<>(2 * columns.size());
            for (Map.Entry<String, Column> column : columns.entrySet()) {
                values.put(column.getKey(), column.getValue().get(row));
            }
            rows.add(values);
        }
        return rows;
    }

    private Column column(String name) {
        Column column = columns.get(name);
        if (column == null) {
            throw new FeatureStoreException.Usage("'" + name + "' was not asked for; there are " + names());
        }
        return column;
    }

    private FeatureStoreException unlike(String name, String wanted) {
        return new FeatureStoreException.Usage("'" + name + "' is " + column(name) + ", not " + wanted
                + "; take it by value(name, row), or by what fits its type");
    }
}
