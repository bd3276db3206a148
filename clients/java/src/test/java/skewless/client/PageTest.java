package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The code of docs/java.md, which stands here line by line. */
class PageTest {
    private static final String namespace = "java";
    private static String url;
    private final long userId = 7;

    @BeforeAll
    static void publish() throws Exception {
        url = Live.url();
        try (Live live = new Live()) {
            publish(live, "{java:transaction_stats}:", "user_id", 0.25f, 3L);
            publish(live, "{java:merchant_stats}:", "merchant_id", 0.75f, 4L);
            live.set("java:service:fraud", Pack.pack(List.of("transaction_stats:avg_transactions_1h",
                    List.of("payee:avg_transactions_1h", "transaction_stats:avg_transactions_1h", "user_id", "payee_id"))));
        }
    }

    private static void publish(Live live, String tag, String key, float average, long count) throws Exception {
        byte[] meta = Pack.pack(List.of(1L, "f", List.of(List.of(key, "integer")),
                List.of(List.of("avg_transactions_1h", "float32"), List.of("count_1h", "int64")),
                Arrays.asList(null, 0L), Arrays.asList(null, null)));
        live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", meta,
                tag + "3:7", Pack.entity(5, average, count), tag + "3:8", Pack.entity(5, null, count));
    }

    @Test
    void connecting() {
        FeatureStore store = FeatureStore.connect(url, namespace);
        List<Object> features = store.getOnlineFeatures(userId, "transaction_stats:avg_transactions_1h");
        assertEquals(List.of(0.25f), features);
        store.close();
    }

    @Test
    void manyEntities() {
        try (FeatureStore store = FeatureStore.connect(url, namespace)) {
            List<Map<String, Object>> rows = store.getOnlineFeatures(
                    List.of(7, 8, 9), "transaction_stats:avg_transactions_1h", "transaction_stats:count_1h");
            Object average = rows.get(0).get("transaction_stats__avg_transactions_1h"); // a Float, or null
            assertEquals(0.25f, average);

            Map<String, Object> payment = Map.of("user_id", 7, "merchant_id", 8);
            List<Object> both = store.getOnlineFeatures(
                    payment, "transaction_stats:count_1h", "merchant_stats:count_1h");
            assertEquals(List.of(3L, 4L), both);
        }
    }

    @Test
    void columns() {
        try (FeatureStore store = FeatureStore.connect(url, namespace)) {
            Answer answer = store.read(List.of(7, 8, 9), "transaction_stats:avg_transactions_1h");
            float[] averages = answer.floats("transaction_stats__avg_transactions_1h"); // NaN where null
            boolean unknown = answer.isNull("transaction_stats__avg_transactions_1h", 1);

            Served served = answer.views().get("transaction_stats");
            if (served.state() == Served.State.EXPIRED || served.age().compareTo(Duration.ofHours(2)) > 0) {
                System.err.println("old features: a snapshot of " + served.snapshotTime());
            }
            assertEquals(3, averages.length);
            assertTrue(unknown);
        }
    }

    @Test
    void services() {
        try (FeatureStore store = FeatureStore.connect(url, namespace)) {
            List<Object> features = store.getOnlineFeatures(Map.of("user_id", 7, "payee_id", 8), "fraud");
            assertEquals(Arrays.asList(0.25f, null), features);
        }
    }

    @Test
    void errors() {
        try (FeatureStore store = FeatureStore.connect(url, namespace)) {
            List<Object> features;
            try {
                features = store.getOnlineFeatures(userId, "transaction_stats:avg_transactions_1h");
            } catch (FeatureStoreException.Unavailable error) {
                features = List.of(0.0f); // decide without the store
            }
            assertEquals(List.of(0.25f), features);
            assertThrows(FeatureStoreException.NotPublished.class, () -> store.getOnlineFeatures(userId, "nothing:here"));
        }
    }

    @Test
    void options() {
        Options options = Options.defaults()
                .withConnectTimeout(Duration.ofSeconds(1))
                .withCommandTimeout(Duration.ofMillis(50))
                .withCaFile(Path.of("ca.pem"));
        assertEquals(new Options(Duration.ofSeconds(1), Duration.ofMillis(50), Path.of("ca.pem")), options);
    }
}
