package skewless.client;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads packed rows of a view into the columns of those features that are wanted of it; all else is looked at, no more. */
final class Rows {
    private final Meta meta;
    private final int flatWidth;
    private final Column[] byPosition; // null where a field is not wanted
    private final Column[] others; // of those: one row, made where it is needed, and written over and over
    private final Map<Feature, Column> columns = new LinkedHashMap<>();
    private final MessagePack constants = new MessagePack();

    /** Room for so many rows; Usage where the view has no such field. */
    Rows(Meta meta, String view, List<Feature> features, int size) {
        this.meta = meta;
        this.flatWidth = meta.flatWidth();
        this.byPosition = new Column[meta.fields().size()];
        this.others = new Column[byPosition.length];
        for (Feature feature : features) {
            Integer position = meta.positions().get(feature.field());
            if (position == null) {
                throw new FeatureStoreException.Usage("'" + view + "' has no field '" + feature.field() + "'; it has "
                        + String.join(", ", meta.fields().stream().map(Meta.Field::name).toList()));
            }
            if (byPosition[position] == null) {
                byPosition[position] = Column.of(meta.fields().get(position).dtype(), size);
            }
            columns.put(feature, byPosition[position]);
        }
    }

    Map<Feature, Column> columns() {
        return columns;
    }

    /** Reads, of an entity's two slots, the first that is not above a generation; the absent row where that is none. */
    void readSlots(MessagePack in, long generation, int row) {
        if (in.readArray() != 4) {
            throw new MessagePack.Malformed("it has not two slots");
        }
        boolean found = false;
        boolean present = false;
        for (int slot = 0; slot < 2; slot++) {
            boolean isIt = in.readLong() <= generation && !found;
            found |= isIt;
            if (!isIt) {
                in.skip();
            } else if (!in.skipNil()) {
                read(in, row);
                present = true;
            }
        }
        in.finish();
        if (!present) {
            readConstant(meta.absent(), row);
        }
    }

    /** Reads the absent or the expired row of the meta. */
    void readConstant(byte[] packed, int row) {
        read(constants.open(packed, 0, packed.length), row);
    }

    /** Malformed unless both constant rows have a value of its type for each field. */
    static void demandConstants(Meta meta) {
        List<Feature> all = meta.fields().stream()
                .map(field -> new Feature("view", "view", field.name(), field.name(), null)).toList();
        Rows rows = new Rows(meta, "view", all, 1);
        rows.readConstant(meta.absent(), 0);
        rows.readConstant(meta.expired(), 0);
    }

    private void read(MessagePack in, int row) {
        if (flatWidth > 0 && in.isBytes()) {
            in.openFlat(flatWidth);
            readFlat(in, row);
            return;
        }
        int count = in.readArray();
        if (count != byPosition.length) {
            throw new MessagePack.Malformed("its row has " + count + " values for " + byPosition.length + " fields");
        }
        for (int position = 0; position < byPosition.length; position++) {
            if (byPosition[position] == null) {
                other(position).read(in, 0);
            } else {
                byPosition[position].read(in, row);
            }
        }
    }

    private Column other(int position) {
        if (others[position] == null) {
            others[position] = Column.of(meta.fields().get(position).dtype(), 1);
        }
        return others[position];
    }

    private void readFlat(MessagePack in, int row) {
        for (int position = 0; position < byPosition.length; position++) {
            if (byPosition[position] == null) {
                in.pass(meta.fields().get(position).dtype().width());
            } else {
                byPosition[position].readFlat(in, row);
            }
        }
    }
}
