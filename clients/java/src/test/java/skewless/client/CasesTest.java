package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Every case of the golden files, asked of a real server. */
class CasesTest {
    private static final Map<String, Class<? extends FeatureStoreException>> ERRORS = Map.of(
            "usage", FeatureStoreException.Usage.class,
            "not_published", FeatureStoreException.NotPublished.class,
            "unreadable", FeatureStoreException.Unreadable.class);
    private static FeatureStore store;

    @BeforeAll
    static void connect() throws Exception {
        try (Live live = new Live()) {
            live.loadStore();
        }
        store = FeatureStore.connect(Live.url(), Live.namespace());
    }

    @AfterAll
    static void close() {
        store.close();
    }

    @TestFactory
    Stream<DynamicTest> everyCaseIsAnsweredAsWritten() {
        return Golden.items(Live.cases()).stream()
                .map(found -> DynamicTest.dynamicTest(found.get("name").asString(), () -> answers(found)));
    }

    private static void answers(JsonNode found) {
        List<?> entities = repeated(found, "entities").stream().map(Golden::entity).toList();
        String[] features = Golden.items(found.get("features")).stream().map(JsonNode::asString).toArray(String[]::new);
        if (found.has("error")) {
            FeatureStoreException error =
                    assertThrows(ERRORS.get(found.get("error").asString()), () -> store.read(entities, features));
            found.get("mentions").forEach(
                    text -> assertTrue(error.getMessage().contains(text.asString()), error.getMessage()));
            return;
        }
        Answer answer = store.read(entities, features);
        assertRows(repeated(found, "rows"), answer);
        if (found.has("views")) {
            found.get("views").properties().forEach(
                    view -> assertServed(view.getValue(), answer.views().get(view.getKey())));
        }
    }

    private static List<JsonNode> repeated(JsonNode found, String name) {
        List<JsonNode> all = new ArrayList<>();
        Collections.nCopies(found.path("times").asInt(1), Golden.items(found.get(name))).forEach(all::addAll);
        return all;
    }

    private static void assertRows(List<JsonNode> wanted, Answer answer) {
        assertEquals(wanted.size(), answer.size());
        List<Map<String, Object>> rows = answer.rows();
        for (int row = 0; row < wanted.size(); row++) {
            for (Map.Entry<String, JsonNode> value : wanted.get(row).properties()) {
                assertTrue(rows.get(row).containsKey(value.getKey()), value.getKey());
                assertEquals(Golden.meant(value.getValue()), Golden.meant(rows.get(row).get(value.getKey())));
                assertEquals(value.getValue().isNull(), answer.isNull(value.getKey(), row));
            }
        }
    }

    private static void assertServed(JsonNode wanted, Served served) {
        assertEquals(wanted.get("generation").asLong(), served.generation());
        assertEquals(wanted.get("snapshot_time").asLong(), Golden.micros(served.snapshotTime()));
        assertEquals(wanted.get("state").asString(), served.state().name().toLowerCase(Locale.ROOT));
    }
}
