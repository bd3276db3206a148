package skewless.client;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * The values of one view, and of its aliases, for some entities: send {@link #commands}, {@link #accept} the replies, until
 * it is {@link #settled}. No input or output here.
 *
 * <p>One MGET is one instant of the server: pointer, alive and entities in it belong together.
 */
final class Lookup {
    static final int CHUNK = 500;

    /**
     * The pointer that was seen last, and how to read what it points to. Beside another pointer the meta is asked for again:
     * a store that was emptied, or lost a flip, may count its epochs anew, with another meta.
     */
    record Pin(Pointer pointer, Meta meta) { }

    private final String namespace;
    private final String view;
    private final Keys keys;
    private final List<List<Feature>> sources; // the view's own features, or those of an alias
    private final List<?> entities;
    private final MessagePack reader = new MessagePack();
    private final Map<Feature, Column> columns = new LinkedHashMap<>();

    private Pin pin;
    private Long wanted; // the epoch whose meta is needed
    private byte[][] asked; // the keys of the entities that have one, of each source in turn
    private int[] rows; // where each of them stands
    private FeatureStoreException refusal; // of the entities or sources, as the pin's meta has the join keys
    private Pointer pointer;
    private boolean live;
    private boolean settled;

    /** Looks up as each source says; {@code pin} may be null. */
    Lookup(String namespace, String view, List<List<Feature>> sources, List<?> entities, Pin pin) {
        this.namespace = namespace;
        this.view = view;
        this.keys = new Keys(namespace, view);
        this.sources = sources;
        this.entities = entities;
        this.pin = pin;
    }

    String view() {
        return view;
    }

    Pin pin() {
        return pin;
    }

    boolean settled() {
        return settled;
    }

    /** The pointer that the answer is of. */
    Pointer pointer() {
        return pointer;
    }

    boolean live() {
        return live;
    }

    Column column(Feature feature) {
        return columns.get(feature);
    }

    /** The keys to MGET next: of the pointer; or of an epoch's meta; or of the entities, in chunks. */
    List<byte[][]> commands() {
        if (wanted != null) {
            return List.<byte[][]>of(new byte[][] {keys.pointer(), keys.alive(), keys.meta(wanted)});
        }
        if (pin == null || !prepared()) {
            return List.<byte[][]>of(new byte[][] {keys.pointer(), keys.alive()});
        }
        List<byte[][]> commands = new ArrayList<>();
        for (int start = 0; start == 0 || start < asked.length; start += CHUNK) {
            int count = Math.min(CHUNK, asked.length - start);
            byte[][] command = new byte[count + 2][];
            command[0] = keys.pointer();
            command[1] = keys.alive();
            System.arraycopy(asked, start, command, 2, count);
            commands.add(command);
        }
        return commands;
    }

    /** Takes the replies, one for each command. */
    void accept(List<Values> replies) {
        Values first = replies.get(0);
        if (first.isNil(0)) {
            throw notPublished();
        }
        Pointer seen = reading("pointer", keys.pointer(), first.open(0, reader), Pointer::read);
        if (wanted != null) {
            acceptMeta(seen, first);
        } else if (pin == null || !pin.pointer().equals(seen)) {
            wanted = seen.epoch();
        } else if (refusal != null) {
            throw refusal;
        } else if (agree(replies, seen)) {
            settle(seen, replies);
        }
    }

    private void acceptMeta(Pointer seen, Values reply) {
        if (seen.epoch() != wanted) {
            wanted = seen.epoch();
        } else if (reply.isNil(2)) {
            throw notPublished();
        } else {
            pin = new Pin(seen, reading("meta", keys.meta(wanted), reply.open(2, reader), Meta::read));
            wanted = null;
            asked = null;
            refusal = null;
        }
    }

    private boolean agree(List<Values> replies, Pointer seen) {
        Values first = replies.get(0);
        boolean alive = vouches(first, seen);
        for (Values reply : replies) {
            if (!reply.same(0, first, 0) || vouches(reply, seen) != alive) {
                return false;
            }
        }
        return true;
    }

    private boolean vouches(Values reply, Pointer seen) {
        return !reply.isNil(1)
                && reading("alive", keys.alive(), reply.open(1, reader), Lookup::readAlive) == seen.flip();
    }

    private static long readAlive(MessagePack in) {
        long flip = in.readLong();
        in.finish();
        return flip;
    }

    // -- keys ---------------------------------------------------------------------------------------------

    /** Whether the keys of the entities are known; a refusal counts only if the epoch is still the pin's. */
    private boolean prepared() {
        if (asked == null) {
            try {
                prepare();
            } catch (FeatureStoreException error) {
                refusal = error;
            }
        }
        return asked != null;
    }

    private void prepare() {
        String start = keys.entities(pin.pointer().epoch());
        List<Meta.JoinKey> joinKeys = pin.meta().keys();
        byte[][] found = new byte[sources.size() * entities.size()][];
        rows = new int[found.length];
        int count = 0;
        int row = 0;
        for (List<Feature> source : sources) {
            String[] names = namesFor(source.get(0));
            for (Object entity : entities) {
                String key = Keys.entity(valuesOf(entity, names, source.get(0)), joinKeys);
                if (key != null) {
                    found[count] = Keys.bytes(start + key);
                    rows[count++] = row;
                }
                row++;
            }
        }
        asked = Arrays.copyOf(found, count);
    }

    /** The names under which the caller's entities have the join keys. */
    private String[] namesFor(Feature source) {
        List<String> names = pin.meta().keyNames();
        if (source.keys() != null && !source.keys().keySet().equals(Set.copyOf(names))) {
            throw new FeatureStoreException.Unreadable("a service looks up '" + source.source() + "' by "
                    + source.keys().keySet() + ", and the view '" + view + "' has the join keys " + names
                    + "; publish its views again", null);
        }
        return names.stream().map(name -> source.keys() == null ? name : source.keys().get(name)).toArray(String[]::new);
    }

    private Object[] valuesOf(Object entity, String[] names, Feature source) {
        if (!(entity instanceof Map<?, ?> map)) {
            if (names.length != 1 || source.keys() != null) {
                throw new FeatureStoreException.Usage("'" + source.source() + "' is looked up by "
                        + String.join(", ", names) + "; give each entity as a map of them, not as " + entity);
            }
            return new Object[] {entity};
        }
        Object[] values = new Object[names.length];
        for (int i = 0; i < names.length; i++) {
            values[i] = map.get(names[i]);
            if (values[i] == null && !map.containsKey(names[i])) {
                throw new FeatureStoreException.Usage("'" + source.source() + "' is looked up by "
                        + String.join(", ", names) + "; an entity lacks " + names[i] + ": " + map);
            }
        }
        return values;
    }

    // -- values -------------------------------------------------------------------------------------------

    private void settle(Pointer seen, List<Values> replies) {
        pointer = seen;
        live = vouches(replies.get(0), seen);
        settled = true;
        int size = entities.size();
        int next = 0;
        for (int i = 0; i < sources.size(); i++) {
            Rows found = new Rows(pin.meta(), view, sources.get(i), size);
            for (int row = 0; row < size; row++) {
                boolean isAsked = next < asked.length && rows[next] == i * size + row;
                int place = isAsked ? next++ : -1;
                if (!live) {
                    found.readConstant(pin.meta().expired(), row);
                } else if (!isAsked || replies.get(place / CHUNK).isNil(2 + place % CHUNK)) {
                    found.readConstant(pin.meta().absent(), row);
                } else {
                    readEntity(replies.get(place / CHUNK).open(2 + place % CHUNK, reader), found, row, asked[place]);
                }
            }
            columns.putAll(found.columns());
        }
    }

    private void readEntity(MessagePack in, Rows found, int row, byte[] key) {
        try {
            found.readSlots(in, pointer.generation(), row);
        } catch (MessagePack.Malformed error) {
            throw unreadable("entity", key, error);
        }
    }

    // -- errors -------------------------------------------------------------------------------------------

    private <T> T reading(String what, byte[] key, MessagePack in, Function<MessagePack, T> read) {
        try {
            return read.apply(in);
        } catch (MessagePack.Malformed error) {
            throw unreadable(what, key, error);
        }
    }

    static FeatureStoreException unreadable(String what, byte[] key, MessagePack.Malformed error) {
        return new FeatureStoreException.Unreadable("the " + what + " at " + new String(key, StandardCharsets.UTF_8)
                + " is not readable: " + error.getMessage()
                + "; use a version of this client that fits what published it, and see whether something else writes there",
                error);
    }

    private FeatureStoreException notPublished() {
        return new FeatureStoreException.NotPublished("'" + view + "' is not published in namespace '" + namespace
                + "'; publish it, or check the namespace and the store's URL");
    }
}
