package skewless.client;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/**
 * Reads features by key from Skewless' online store.
 *
 * <pre>{@code
 * try (FeatureStore store = FeatureStore.connect("redis://localhost:6379/0", "prod")) {
 *     List<Object> features = store.getOnlineFeatures(userId, "transaction_stats:avg_transactions_1h");
 * }
 * }</pre>
 *
 * <p>An entity is a map of its join keys or, for views with one join key, the bare value: a String, or an Integer, Long,
 * Short, Byte or BigInteger. A feature is {@code view:field}, or the name of a feature service, which stands for all of its
 * features; one that is named twice counts once. An entity without rows, or with a null key, has the view's absent row.
 *
 * <p>Safe for use by many threads, over one connection. It remembers the pointer and meta of each view, and nothing else: what
 * is published is seen by the next lookup. All values of a view, and of its aliases, are of one generation.
 *
 * <p>All lookups throw {@link FeatureStoreException}.
 */
public final class FeatureStore implements AutoCloseable {
    private static final int ROUNDS = 20; // a lookup that meets so many changes meets something that is broken

    private final Connection connection;
    private final String namespace;
    private final Clock clock = Clock.systemUTC();
    private final Map<String, Lookup.Pin> pins = new ConcurrentHashMap<>();

    private FeatureStore(Connection connection, String namespace) {
        this.connection = connection;
        this.namespace = namespace;
    }

    /** Connects to a store with the usual time-outs. */
    public static FeatureStore connect(String url, String namespace) {
        return connect(url, namespace, Options.defaults());
    }

    /**
     * Connects to a store.
     *
     * @param url       {@code redis://[user:password@]host:port[/db]}, {@code redis+sentinel://host:port,host:port/master[/db]}
     *                  or {@code redis+cluster://host:port,host:port}; {@code rediss} for TLS
     * @param namespace what the keys of the store begin with, such as {@code prod}
     * @param options   time-outs and trusted certificates
     */
    public static FeatureStore connect(String url, String namespace, Options options) {
        Keys.demandNamespace(namespace);
        return new FeatureStore(new Connection(Endpoint.parse(url), options), namespace);
    }

    /** Gives one entity's values in the order of the features. */
    public List<Object> getOnlineFeatures(Object entity, String... features) {
        if (entity instanceof Iterable || entity instanceof Object[]) {
            throw new FeatureStoreException.Usage("an entity is a map or a bare value, and this is a "
                    + entity.getClass().getSimpleName() + "; for several entities pass a java.util.List");
        }
        return read(Collections.singletonList(entity), features).values(0);
    }

    /** Gives, for each entity, its values by name: {@code <view>__<field>}. */
    public List<Map<String, Object>> getOnlineFeatures(List<?> entities, String... features) {
        return read(entities, features).rows();
    }

    /** Gives the entities' values by columns, and what each view was answered from. */
    public Answer read(List<?> entities, String... features) {
        List<Feature> asked = resolve(features);
        List<Lookup> lookups = lookups(asked, entities);
        settle(lookups);
        demandOneKey(lookups, entities);
        return answer(asked, lookups, entities.size());
    }

    /** Closes the connection. */
    @Override
    public void close() {
        connection.close();
    }

    // -- what is asked for --------------------------------------------------------------------------------

    private List<Feature> resolve(String[] features) {
        Map<String, Set<Feature>> meanings = new LinkedHashMap<>();
        for (String feature : features) {
            meanings.put(feature, Feature.isName(feature) ? Set.of() : Set.of(Feature.parse(feature)));
        }
        List<String> services = meanings.keySet().stream().filter(Feature::isName).toList();
        if (!services.isEmpty()) {
            readServices(services, meanings);
        }
        Set<Feature> asked = new LinkedHashSet<>();
        meanings.values().forEach(asked::addAll);
        if (asked.isEmpty()) {
            throw new FeatureStoreException.Usage("no features are asked for; name some, as view:field");
        }
        Feature.demandAgreement(asked);
        return List.copyOf(asked);
    }

    private void readServices(List<String> services, Map<String, Set<Feature>> meanings) {
        List<byte[][]> commands = new ArrayList<>();
        services.forEach(service -> commands.add(new byte[][] {Keys.service(namespace, service)}));
        List<Values> replies = connection.ask(commands);
        for (int i = 0; i < replies.size(); i++) {
            String service = services.get(i);
            if (replies.get(i).isNil(0)) {
                throw new FeatureStoreException.NotPublished("there is no service '" + service + "' in namespace '"
                        + namespace + "'; publish its views, or write view:field for a feature");
            }
            try {
                meanings.put(service, Feature.readService(replies.get(i).open(0, new MessagePack())));
            } catch (MessagePack.Malformed error) {
                throw Lookup.unreadable("service", Keys.service(namespace, service), error);
            }
        }
    }

    /** One lookup per view, of the view itself and of its aliases, so that all come from one generation. */
    private List<Lookup> lookups(List<Feature> asked, List<?> entities) {
        Map<String, Map<String, List<Feature>>> byView = asked.stream().collect(Collectors.groupingBy(
                Feature::view, LinkedHashMap::new, Collectors.groupingBy(
                        Feature::source, LinkedHashMap::new, Collectors.toList())));
        List<Lookup> lookups = new ArrayList<>();
        byView.forEach((view, sources) -> lookups.add(
                new Lookup(namespace, view, List.copyOf(sources.values()), entities, pins.get(view))));
        return lookups;
    }

    // -- asking -------------------------------------------------------------------------------------------

    private void settle(List<Lookup> lookups) {
        List<Lookup> pending = lookups;
        for (int round = 0; round < ROUNDS; round++) {
            List<List<byte[][]>> groups = pending.stream().map(Lookup::commands).toList();
            List<Values> replies = connection.ask(groups.stream().flatMap(List::stream).toList());
            int next = 0;
            for (int i = 0; i < groups.size(); i++) {
                Lookup lookup = pending.get(i);
                Lookup.Pin before = lookup.pin();
                int end = next + groups.get(i).size();
                lookup.accept(replies.subList(next, end));
                next = end;
                if (lookup.pin() != before) { // what another thread has put meanwhile may be newer, and stays
                    pins.compute(lookup.view(), (view, known) -> known == before ? lookup.pin() : known);
                }
            }
            pending = pending.stream().filter(lookup -> !lookup.settled()).toList();
            if (pending.isEmpty()) {
                return;
            }
        }
        throw new FeatureStoreException.Unavailable("'" + pending.get(0).view() + "' in namespace '" + namespace
                + "' changed " + ROUNDS + " times during one lookup; look at its publishers", null);
    }

    /** A bare value names no join key: it must not be taken for a user here and for a merchant there. */
    private static void demandOneKey(List<Lookup> lookups, List<?> entities) {
        if (entities.stream().allMatch(entity -> entity instanceof Map)) {
            return;
        }
        Map<List<String>, String> views = new LinkedHashMap<>();
        lookups.forEach(lookup -> views.put(lookup.pin().meta().keyNames(), lookup.view()));
        if (views.size() > 1) {
            throw new FeatureStoreException.Usage("the views " + views.values() + " are looked up by " + views.keySet()
                    + "; give each entity as a map of its join keys, not as a bare value");
        }
    }

    // -- the answer ---------------------------------------------------------------------------------------

    private Answer answer(List<Feature> asked, List<Lookup> lookups, int size) {
        Map<String, Lookup> byView = new LinkedHashMap<>();
        lookups.forEach(lookup -> byView.put(lookup.view(), lookup));
        Map<String, Column> columns = new LinkedHashMap<>();
        Map<String, Served> views = new LinkedHashMap<>();
        for (Feature feature : asked) {
            Lookup lookup = byView.get(feature.view());
            columns.put(feature.name(), lookup.column(feature));
            views.computeIfAbsent(feature.source(), source -> served(lookup));
        }
        return new Answer(columns, size, views);
    }

    private Served served(Lookup lookup) {
        Pointer pointer = lookup.pointer();
        Duration age = Duration.between(pointer.snapshotTime(), clock.instant());
        Served.State state = lookup.live() ? Served.State.LIVE : Served.State.EXPIRED;
        return new Served(pointer.snapshotTime(), pointer.generation(), pointer.flip(), age, state);
    }
}
