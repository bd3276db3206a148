package skewless.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

class KeysTest {
    private static final JsonNode KEYS = Golden.read("keys.json");
    private static final List<Meta.JoinKey> TEXT = List.of(new Meta.JoinKey("name", Meta.Kind.STRING));
    private static final List<Meta.JoinKey> NUMBER = List.of(new Meta.JoinKey("user_id", Meta.Kind.INTEGER));

    @TestFactory
    Stream<DynamicTest> entityKeysAreAsWritten() {
        return Golden.items(KEYS.get("entity_keys")).stream()
                .map(vector -> DynamicTest.dynamicTest(vector.get("values").toString(), () -> entityKeyIsAsWritten(vector)));
    }

    private static void entityKeyIsAsWritten(JsonNode vector) {
        List<Meta.JoinKey> keys = new ArrayList<>();
        vector.get("kinds").forEach(
                kind -> keys.add(new Meta.JoinKey("key", Meta.Kind.valueOf(kind.asString().toUpperCase(Locale.ROOT)))));
        Object[] values = Golden.items(vector.get("values")).stream().map(Golden::plain).toArray();
        String key = Keys.entity(values, keys);
        assertEquals(Golden.plain(vector.get("key")), key);
        if (vector.has("utf8")) {
            assertArrayEquals(Golden.bytes(vector.get("utf8")), Keys.bytes(key));
        }
    }

    @Test
    void keysOfViewsAndServicesAreAsWritten() {
        for (JsonNode vector : KEYS.get("view_keys")) {
            Keys keys = new Keys(vector.get("namespace").asString(), vector.get("view").asString());
            long epoch = vector.get("epoch").asLong();
            assertEquals(vector.get("pointer").asString(), new String(keys.pointer()));
            assertEquals(vector.get("alive").asString(), new String(keys.alive()));
            assertEquals(vector.get("meta").asString(), new String(keys.meta(epoch)));
            assertEquals(vector.get("entity").asString(), keys.entities(epoch) + vector.get("entity_key").asString());
        }
        for (JsonNode vector : KEYS.get("service_keys")) {
            byte[] key = Keys.service(vector.get("namespace").asString(), vector.get("service").asString());
            assertEquals(vector.get("key").asString(), new String(key));
        }
    }

    @Test
    void integersOfAnyWidthAreOneKey() {
        for (Object seven : List.of((byte) 7, (short) 7, 7, 7L, BigInteger.valueOf(7))) {
            assertEquals("7", Keys.entity(new Object[] {seven}, NUMBER));
        }
    }

    @Test
    void aNullDoesNotHideAValueOfTheWrongType() {
        List<Meta.JoinKey> two = List.of(TEXT.get(0), NUMBER.get(0));
        FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class,
                () -> Keys.entity(new Object[] {null, "7"}, two));
        assertEquals("join key user_id is 7, String, and no integer; pass it with the type that the source has",
                error.getMessage());
    }

    @Test
    void halfACharacterIsRefused() {
        for (String text : List.of("\ud83d", "\ude00", "a\ud83db", "\ude00\ud83d", "\ud83d\ud83d\ude00")) {
            assertThrows(FeatureStoreException.Usage.class, () -> Keys.entity(new Object[] {text}, TEXT));
        }
    }
}
