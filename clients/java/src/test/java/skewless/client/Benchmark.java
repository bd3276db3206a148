package skewless.client;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Measures lookups, and beside each the bare MGET of the same keys through the same library.
 *
 * <p>Arguments: the store's URL, namespace, view (one integer join key; fields f0, f1, ...), how many fields, the first and
 * the last entity, batch sizes with commas between, rounds. Prints a line of JSON per batch size: the 50th and 99th
 * percentiles in microseconds of {@code read} (columns), of {@code getOnlineFeatures} (maps), and of the MGET.
 */
public final class Benchmark {
    private static final int WARM_UP = 3000;

    private final FeatureStore store;
    private final RedisCommands<byte[], byte[]> commands;
    private final String start;
    private final String[] features;
    private final int first;
    private final int last;
    private final Random random = new Random(7);

    private Benchmark(FeatureStore store, RedisCommands<byte[], byte[]> commands, String start, String[] features, int first,
            int last) {
        this.store = store;
        this.commands = commands;
        this.start = start;
        this.features = features;
        this.first = first;
        this.last = last;
    }

    /** Runs it. */
    public static void main(String[] arguments) {
        String view = arguments[2];
        Endpoint endpoint = Endpoint.parse(arguments[0]);
        RedisClient client = RedisClient.create(endpoint.uris(Duration.ofSeconds(5)).get(0));
        String[] features = IntStream.range(0, Integer.parseInt(arguments[3])).mapToObj(i -> view + ":f" + i).toArray(String[]::new);
        try (FeatureStore store = FeatureStore.connect(arguments[0], arguments[1])) {
            RedisCommands<byte[], byte[]> commands = client.connect(ByteArrayCodec.INSTANCE).sync();
            Keys keys = new Keys(arguments[1], view);
            long epoch = Pointer.read(MessagePack.of(commands.get(keys.pointer()))).epoch();
            Benchmark benchmark = new Benchmark(store, commands, keys.entities(epoch), features,
                    Integer.parseInt(arguments[4]), Integer.parseInt(arguments[5]));
            for (String batch : arguments[6].split(",")) {
                System.out.println(benchmark.measure(Integer.parseInt(batch), Integer.parseInt(arguments[7])));
            }
        } finally {
            client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        }
    }

    private String measure(int batch, int rounds) {
        long[][] times = new long[3][rounds];
        for (int round = -WARM_UP; round < rounds; round++) {
            List<Integer> entities = random.ints(batch, first, last + 1).boxed().toList();
            byte[][] keys = entities.stream().map(entity -> Keys.bytes(start + entity)).toArray(byte[][]::new);
            for (int i = 0; i < 3; i++) {
                int which = Math.floorMod(round + i, 3); // who comes first finds colder caches
                long taken = time(which, entities, keys);
                if (round >= 0) {
                    times[which][round] = taken;
                }
            }
        }
        return String.format("{\"batch\": %d, \"rounds\": %d, \"read\": %s, \"rows\": %s, \"mget\": %s}", batch, rounds,
                percentiles(times[0]), percentiles(times[1]), percentiles(times[2]));
    }

    /** Nanoseconds of one call. */
    private long time(int which, List<Integer> entities, byte[][] keys) {
        long begin = System.nanoTime();
        int size = switch (which) {
            case 0 -> store.read(entities, features).size();
            case 1 -> store.getOnlineFeatures(entities, features).size();
            default -> commands.mget(keys).size();
        };
        long taken = System.nanoTime() - begin;
        demand(size == keys.length);
        return taken;
    }

    private static void demand(boolean isWhole) {
        if (!isWhole) {
            throw new IllegalStateException("an answer has not a row for each entity");
        }
    }

    private static String percentiles(long[] times) {
        Arrays.sort(times);
        return String.format(Locale.ROOT, "{\"p50\": %.1f, \"p99\": %.1f}",
                times[times.length / 2] / 1e3, times[times.length * 99 / 100] / 1e3);
    }
}
