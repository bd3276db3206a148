package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lettuce.core.protocol.CommandType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Many threads read, over one connection, while generations come and go in new epochs. */
class PublishingTest {
    private static final String TAG = "{java:publishing}:";
    private static final int ENTITIES = 1100; // three chunks
    private static final int GENERATIONS = 60;

    @Test
    void everyAnswerIsOfOneGenerationAndNoneGoesBack() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        AtomicBoolean done = new AtomicBoolean();
        try (Live live = new Live(); FeatureStore store = FeatureStore.connect(Live.url(), "java")) {
            publish(live, 1);
            List<Future<Integer>> readers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                readers.add(threads.submit(() -> readUntil(done, store)));
            }
            for (long generation = 2; generation <= GENERATIONS; generation++) {
                Thread.sleep(10); // a reader gives up at a view that does not stand still
                publish(live, generation);
            }
            Thread.sleep(50);
            done.set(true);
            for (Future<Integer> reader : readers) {
                assertTrue(reader.get() > 3, "a thread saw only " + reader.get() + " generations");
            }
        } finally {
            done.set(true);
            threads.shutdown();
        }
    }

    /** Gives how many generations it saw. */
    private static int readUntil(AtomicBoolean done, FeatureStore store) {
        List<Integer> entities = IntStream.range(0, ENTITIES).boxed().toList();
        long last = 0;
        int seen = 0;
        while (!done.get()) {
            Answer answer = store.read(entities, "publishing:number");
            long generation = answer.views().get("publishing").generation();
            assertTrue(generation >= last, generation + " after " + last);
            seen += generation > last ? 1 : 0;
            last = generation;
            for (long number : answer.longs("publishing__number")) {
                assertEquals(generation, number);
            }
        }
        assertEquals(GENERATIONS, last);
        return seen;
    }

    /** In a new epoch; the one before the previous is dropped. */
    private static void publish(Live live, long generation) throws Exception {
        Object[] rows = new Object[2 * ENTITIES];
        for (int i = 0; i < ENTITIES; i++) {
            rows[2 * i] = TAG + generation + ":" + i;
            rows[2 * i + 1] = Pack.entity(generation, generation);
        }
        live.set(rows);
        live.set(TAG + "m:" + generation, Pack.meta("number"));
        live.set(TAG + "p", Pack.pointer(generation, generation, generation), TAG + "a", Pack.pack(generation));
        if (generation > 2) {
            long old = generation - 2;
            byte[][] keys = IntStream.range(0, ENTITIES).mapToObj(i -> Keys.bytes(TAG + old + ":" + i)).toArray(byte[][]::new);
            live.ask(CommandType.UNLINK, keys);
            live.ask(CommandType.UNLINK, Keys.bytes(TAG + "m:" + old));
        }
    }
}
