package skewless.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The calls themselves, on the golden store: what they take, and the forms in which they give. */
class FeatureStoreTest {
    private static FeatureStore store;

    @BeforeAll
    static void connect() throws Exception {
        try (Live live = new Live()) {
            live.load(Golden.read("store.json"));
            String tag = "{golden:shops}:";
            byte[] meta = Pack.pack(List.of(1L, "f", List.of(List.of("shop_id", "integer")),
                    List.of(List.of("score", "float32")), List.of(0f), List.of(0f)));
            live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", meta);
        }
        store = FeatureStore.connect(Live.url(), "golden");
    }

    @AfterAll
    static void close() {
        store.close();
    }

    @Test
    void oneEntityGivesAListInTheOrderOfTheFeatures() {
        List<Object> features = store.getOnlineFeatures(1L, "all:word", "plain:score", "all:small", "all:word");
        assertEquals(List.of("café", 0.5f, 7), features);
    }

    @Test
    void severalEntitiesGiveMapsOfNamedValues() {
        List<Map<String, Object>> rows = store.getOnlineFeatures(List.of(1, 2), "all:word", "plain:score");
        assertEquals("[{all__word=café, plain__score=0.5}, {all__word=null, plain__score=0.0}]", rows.toString());
    }

    @Test
    void bareValuesMapsAndNullsMayBeMixed() {
        List<Object> entities = Arrays.asList(1, Map.of("user_id", 1L), null, (short) 1);
        assertEquals("[{all__small=7}, {all__small=7}, {all__small=0}, {all__small=7}]",
                store.getOnlineFeatures(entities, "all:small").toString());
    }

    @Test
    void columnsAreGivenWithoutBoxes() {
        Answer answer = store.read(List.of(1, 2, 3), "all:ratio", "all:exact", "all:big", "all:small", "all:at", "all:word");
        assertArrayEquals(new float[] {0.1f, Float.NaN, -0.0f}, answer.floats("all__ratio"));
        assertArrayEquals(new double[] {0.1, Double.NaN, -0.0}, answer.doubles("all__exact"));
        assertArrayEquals(new long[] {-8, 0, Long.MIN_VALUE}, answer.longs("all__big"));
        assertArrayEquals(new long[] {7, 0, Integer.MIN_VALUE}, answer.longs("all__small"));
        assertArrayEquals(new long[] {1_700_000_000_000_000L, 0, -1}, answer.longs("all__at"));
        assertEquals(List.of(false, true, false), List.of(answer.isNull("all__ratio", 0), answer.isNull("all__ratio", 1),
                answer.isNull("all__ratio", 2)));
        assertEquals("café", answer.value("all__word", 0));
        assertEquals(Instant.parse("1969-12-31T23:59:59.999999Z"), answer.value("all__at", 2));
        assertEquals(List.of("all__ratio", "all__exact", "all__big", "all__small", "all__at", "all__word"), answer.names());
    }

    @Test
    void aColumnOfAnotherTypeOrNameIsRefused() {
        Answer answer = store.read(List.of(1), "all:word");
        FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class, () -> answer.floats("all__word"));
        assertTrue(error.getMessage().startsWith("'all__word' is string, not float32"), error.getMessage());
        assertThrows(FeatureStoreException.Usage.class, () -> answer.value("all__ratio", 0));
    }

    @Test
    void anAnswerSaysWhatItIsFrom() {
        Instant before = Instant.now();
        Served served = store.read(List.of(1), "all:word").views().get("all");
        Instant after = Instant.now();
        Instant snapshot = Instant.ofEpochSecond(1_700_000_000L);
        assertEquals(snapshot, served.snapshotTime());
        assertEquals(5, served.generation());
        assertEquals(1_700_000_500_000_000L, served.flip());
        assertEquals(Served.State.LIVE, served.state());
        assertTrue(served.age().compareTo(Duration.between(snapshot, before)) >= 0);
        assertTrue(served.age().compareTo(Duration.between(snapshot, after)) <= 0);
    }

    @Test
    void aBareValueIsNoUserHereAndNoShopThere() {
        assertRefused("give each entity as a map of its join keys", () -> store.read(List.of(1), "plain:score", "shops:score"));
        Answer answer = store.read(List.of(Map.of("user_id", 1, "shop_id", 2)), "plain:score", "shops:score");
        assertEquals(List.of(0.5f, 0.0f), answer.values(0));
    }

    @Test
    void aBareValueIsNoKeyOfTwoPartsNorOfAnAlias() {
        assertRefused("'pairs' is looked up by origin, day", () -> store.getOnlineFeatures("JFK", "pairs:price"));
        assertRefused("give each entity as a map", () -> store.getOnlineFeatures("JFK", "trip"));
    }

    @Test
    void listsInPlaceOfAnEntityAreRefused() {
        Object hidden = List.of(1, 2);
        assertRefused("for several entities", () -> store.getOnlineFeatures(hidden, "all:word"));
        assertRefused("for several entities", () -> store.getOnlineFeatures((Object) new Integer[] {1}, "all:word"));
    }

    @Test
    void anUnknownFieldIsToldWhatThereIs() {
        assertRefused("'pairs' has no field 'prize'; it has price, seats",
                () -> store.getOnlineFeatures(Map.of("origin", "JFK", "day", 0), "pairs:prize"));
    }

    @Test
    void namesThatCannotBeAreRefused() {
        for (String name : List.of("", "a b", "a:", ":a", "1a:b", "a}:b", "a-b", "é:b")) {
            assertRefused("'" + name + "' names no feature", () -> store.getOnlineFeatures(1, name));
        }
        assertThrows(FeatureStoreException.Usage.class, () -> FeatureStore.connect(Live.url(), "a:b"));
    }

    @Test
    void oneNameMeansOneThingInARequest() throws Exception {
        try (Live live = new Live()) {
            live.set("golden:service:mixed", Pack.pack(List.of(List.of("plain:price", "pairs:price", "origin", "origin",
                    "day", "day"))));
        }
        Map<String, Object> entity = Map.of("user_id", 1, "origin", "JFK", "day", 0);
        assertEquals(List.of(2.5), store.getOnlineFeatures(entity, "mixed"));
        assertRefused("ask for them in two", () -> store.getOnlineFeatures(entity, "plain:score", "mixed"));
    }

    @Test
    void anAliasByOtherKeysThanTheViewHasIsUnreadable() throws Exception {
        for (List<String> keys : List.of(List.of("origin", "origin"), List.of("origin", "origin", "day", "day", "dest", "day"),
                List.of("origin", "origin", "day", "day", "day", "day"))) {
            List<String> alias = Stream.concat(Stream.of("to:price", "pairs:price"), keys.stream()).toList();
            try (Live live = new Live()) {
                live.set("golden:service:stale", Pack.pack(List.of(alias)));
            }
            assertThrows(FeatureStoreException.Unreadable.class,
                    () -> store.getOnlineFeatures(Map.of("origin", "JFK", "day", 0), "stale"));
        }
    }

    @Test
    void aViewMayGetOtherJoinKeysUnderAStoreThatKnowsIt() throws Exception {
        String tag = "{golden:rekeyed}:";
        try (Live live = new Live(); FeatureStore reader = FeatureStore.connect(Live.url(), "golden")) {
            live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", Pack.meta("score"),
                    tag + "3:1", Pack.entity(5, 7L));
            assertEquals(List.of(7L), reader.getOnlineFeatures(Map.of("user_id", 1), "rekeyed:score"));
            byte[] meta = Pack.pack(List.of(1L, "f", List.of(List.of("shop_id", "string")), List.of(List.of("score", "int64")),
                    List.of(-1L), List.of(-2L)));
            live.set(tag + "p", Pack.pointer(10, 6, 4), tag + "a", Pack.pack(10L), tag + "m:4", meta,
                    tag + "4:a", Pack.entity(6, 8L));
            assertEquals(List.of(8L), reader.getOnlineFeatures(Map.of("shop_id", "a"), "rekeyed:score"));
            assertEquals(List.of(8L), reader.getOnlineFeatures("a", "rekeyed:score"));
            assertRefused("'rekeyed' is looked up by shop_id",
                    () -> reader.getOnlineFeatures(Map.of("user_id", 1), "rekeyed:score"));
        }
    }

    @Test
    void aMetaIsRememberedEvenWhereTheLookupFails() throws Exception {
        String tag = "{golden:remembered}:";
        try (Live live = new Live(); FeatureStore reader = FeatureStore.connect(Live.url(), "golden")) {
            live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", Pack.meta("score"),
                    tag + "3:1", Pack.entity(5, 7L));
            assertRefused("it has score", () -> reader.getOnlineFeatures(1, "remembered:scope"));
            live.ask(CommandType.UNLINK, Keys.bytes(tag + "m:3"));
            assertEquals(List.of(7L), reader.getOnlineFeatures(1, "remembered:score"));
        }
    }

    private static void assertRefused(String part, Executable lookup) {
        FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class, lookup);
        assertTrue(error.getMessage().contains(part), error.getMessage());
    }
}
