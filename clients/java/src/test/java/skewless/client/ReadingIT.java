package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/**
 * Reads while whoever runs it moves slots or ends servers: run by its name, with a folder in SKEWLESS_TEST_SIGNALS. It makes
 * the file {@code ready} there when it reads, and reads until there is a file {@code stop}.
 */
class ReadingIT {
    private static final long LONGEST_MILLIS = 60_000;
    private final Path signals = Path.of(System.getenv("SKEWLESS_TEST_SIGNALS"));
    private final List<Integer> entities = IntStream.range(0, 600).boxed().toList();
    private int refusals;

    @Test
    void everyAnswerIsRightAndTheLastOneComes() throws Exception {
        publish();
        try (FeatureStore store = FeatureStore.connect(Live.url(), "java")) {
            long end = System.currentTimeMillis() + LONGEST_MILLIS;
            boolean isLast;
            do {
                assertTrue(System.currentTimeMillis() < end, "it has no answer, or was not told to stop");
                isLast = Files.exists(signals.resolve("stop"));
                isLast &= answers(store);
                signal();
            } while (!isLast);
        }
        boolean mayBeAway = Endpoint.parse(Live.url()).kind() == Endpoint.Kind.SENTINEL;
        assertTrue(mayBeAway || refusals == 0, refusals + " lookups were not answered");
    }

    private static void publish() throws Exception {
        try (Live live = new Live()) {
            String tag = "{java:reading}:";
            live.set(tag + "p", Pack.pointer(9, 5, 3), tag + "a", Pack.pack(9L), tag + "m:3", Pack.meta("number"));
            for (long i = 0; i < 600; i++) {
                live.set(tag + "3:" + i, Pack.entity(5, i));
            }
        }
    }

    private boolean answers(FeatureStore store) throws Exception {
        try {
            Answer answer = store.read(entities, "reading:number");
            assertEquals(Served.State.LIVE, answer.views().get("reading").state());
            for (int i = 0; i < 600; i++) {
                assertEquals(i, answer.longs("reading__number")[i]);
            }
            return true;
        } catch (FeatureStoreException.Unavailable error) {
            refusals++;
            System.err.println(error.getMessage());
            Thread.sleep(50);
            return false;
        }
    }

    private void signal() throws Exception {
        Path ready = signals.resolve("ready");
        if (!Files.exists(ready)) {
            Files.createFile(ready);
        }
    }
}
