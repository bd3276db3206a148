package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lettuce.core.protocol.CommandType;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Many threads read, over one connection, while generations come and go in new epochs. */
class PublishingTest {
    private static final String TAG = "{java:publishing}:";
    private static final int ENTITIES = 1100; // three chunks
    private static final int GENERATIONS = 60;
    private static final int READERS = 4;

    @Test
    void everyAnswerIsOfOneGenerationAndNoneGoesBack() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(READERS);
        AtomicLongArray seen = new AtomicLongArray(READERS);
        try (Live live = new Live(); FeatureStore store = FeatureStore.connect(Live.url(), "java")) {
            publish(live, 1);
            List<Future<?>> readers = new ArrayList<>();
            for (int i = 0; i < READERS; i++) {
                int reader = i;
                readers.add(threads.submit(() -> readAll(store, generation -> seen.set(reader, generation))));
            }
            for (long generation = 2; generation <= GENERATIONS; generation++) {
                awaitAll(seen, generation - 1, readers); // a reader gives up at a view that does not stand still
                publish(live, generation);
            }
            for (Future<?> reader : readers) {
                reader.get(20, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** Reads until the last generation is there, and tells of each. */
    private static void readAll(FeatureStore store, LongConsumer tell) {
        List<Integer> entities = IntStream.range(0, ENTITIES).boxed().toList();
        for (long last = 0; last < GENERATIONS; ) {
            Answer answer = store.read(entities, "publishing:number");
            long generation = answer.views().get("publishing").generation();
            assertTrue(generation >= last, generation + " after " + last);
            for (long number : answer.longs("publishing__number")) {
                assertEquals(generation, number);
            }
            last = generation;
            tell.accept(generation);
        }
    }

    private static void awaitAll(AtomicLongArray seen, long generation, List<Future<?>> readers) throws Exception {
        for (int i = 0; i < READERS; i++) {
            while (seen.get(i) < generation && !readers.get(i).isDone()) {
                Thread.sleep(1);
            }
        }
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
