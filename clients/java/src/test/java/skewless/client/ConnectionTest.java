package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A connection that breaks, stalls or never was; the server is real, and a proxy stands before it. */
class ConnectionTest {
    private static final Options BRIEF = Options.defaults().withCommandTimeout(Duration.ofMillis(300));
    private static final String SCORE = "connection:score";
    private Proxy proxy;
    private FeatureStore store;

    @BeforeEach
    void connect() throws Exception {
        try (Live live = new Live()) {
            String tag = "{java:connection}:";
            live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", Pack.meta("score"),
                    tag + "3:1", Pack.entity(5, 7L));
        }
        proxy = new Proxy();
        store = FeatureStore.connect(proxy.url(), "java", BRIEF);
        assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
    }

    @AfterEach
    void close() throws Exception {
        store.close();
        proxy.close();
    }

    @Test
    void lookupsShareOneConnection() {
        for (int i = 0; i < 20; i++) {
            store.getOnlineFeatures(1, SCORE);
        }
        assertEquals(1, proxy.connections());
    }

    @Test
    void aConnectionThatWasLostInBetweenIsReplaced() throws Exception {
        for (int i = 0; i < 5; i++) {
            proxy.cut();
            assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
        }
        assertEquals(6, proxy.connections());
    }

    @Test
    void anAnswerThatBreaksOffIsAskedForOnceMore() {
        proxy.cutAnswers(1);
        assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
        assertEquals(2, proxy.connections());
    }

    @Test
    void itIsNotAskedForTwiceMore() {
        proxy.cutAnswers(1000);
        assertUnavailable(() -> store.getOnlineFeatures(1, SCORE));
        assertEquals(2, proxy.connections());
        proxy.cutAnswers(0);
        assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
    }

    @Test
    void aServerThatDoesNotAnswerIsWaitedForTwice() {
        proxy.silence(true);
        long start = System.nanoTime();
        FeatureStoreException error = assertUnavailable(() -> store.getOnlineFeatures(1, SCORE));
        long millis = (System.nanoTime() - start) / 1_000_000;
        assertTrue(millis >= 300 && millis < 1500, millis + " ms");
        assertTrue(error.getMessage().contains(proxy.url().substring(8, proxy.url().length() - 2)), error.getMessage());
        proxy.silence(false);
        assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
    }

    @Test
    void anOverdueLookupClosesTheConnectionOfAllAndTheOthersAreAskedOnceMore() throws Exception {
        Options options = Options.defaults().withCommandTimeout(Duration.ofSeconds(1));
        try (FeatureStore shared = FeatureStore.connect(proxy.url(), "java", options)) {
            int before = proxy.connections();
            proxy.silence(true);
            CompletableFuture<List<Object>> first = CompletableFuture.supplyAsync(() -> shared.getOnlineFeatures(1, SCORE));
            Thread.sleep(500);
            long start = System.nanoTime();
            CompletableFuture<List<Object>> second = CompletableFuture.supplyAsync(() -> shared.getOnlineFeatures(1, SCORE));
            Thread.sleep(250);
            proxy.silence(false); // what was answered until now is lost
            assertEquals(List.of(7L), second.get(5, TimeUnit.SECONDS));
            assertTrue(System.nanoTime() - start < 950_000_000L, "the second waited for its own time-out");
            assertEquals(List.of(7L), first.get(5, TimeUnit.SECONDS));
            assertEquals(before + 1, proxy.connections());
        }
    }

    @Test
    void aServerThatIsAwayIsSaidToBeAndFoundAgain() throws Exception {
        proxy.stop();
        for (int i = 0; i < 3; i++) {
            FeatureStoreException error = assertUnavailable(() -> store.getOnlineFeatures(1, SCORE));
            assertTrue(error.getMessage().contains("Connection refused"), error.getMessage());
        }
        proxy.start();
        assertEquals(List.of(7L), store.getOnlineFeatures(1, SCORE));
    }

    @Test
    void noStoreIsConnectedWhereNoneIs() throws Exception {
        proxy.stop();
        assertUnavailable(() -> FeatureStore.connect(proxy.url(), "java", BRIEF));
    }

    @Test
    void aUserWhomTheServerDoesNotKnowIsRefusedAndHisPasswordNotShown() {
        String url = Live.url().replace("://", "://nobody:hidden@");
        FeatureStoreException error = assertUnavailable(() -> FeatureStore.connect(url, "java"));
        assertTrue(error.getMessage().contains("refuses: WRONGPASS"), error.getMessage());
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            assertFalse(String.valueOf(cause.getMessage()).contains("hidden"), cause.getMessage());
        }
    }

    @Test
    void aStoreThatIsClosedSaysSo() {
        store.close();
        assertThrows(FeatureStoreException.Usage.class, () -> store.getOnlineFeatures(1, SCORE));
    }

    @Test
    void aTimeOutOfNothingIsRefused() {
        assertThrows(FeatureStoreException.Usage.class, () -> BRIEF.withCommandTimeout(Duration.ZERO));
        assertThrows(FeatureStoreException.Usage.class, () -> BRIEF.withConnectTimeout(Duration.ofSeconds(-1)));
    }

    @Test
    void aFileOfCertificatesThatIsNotThereIsRefused() {
        for (String file : List.of("nowhere.pem", "src")) {
            Options options = BRIEF.withCaFile(Path.of(file));
            FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class,
                    () -> FeatureStore.connect("rediss://127.0.0.1:1", "java", options));
            assertTrue(error.getMessage().contains("no file of certificates at " + file), error.getMessage());
        }
    }

    private static FeatureStoreException assertUnavailable(Executable lookup) {
        return assertTimeoutPreemptively(Duration.ofSeconds(10),
                () -> assertThrows(FeatureStoreException.Unavailable.class, lookup));
    }
}
