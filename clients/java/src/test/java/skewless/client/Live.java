package skewless.client;

import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.CommandOutput;
import io.lettuce.core.output.NestedMultiOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;

/** The real server of this test run, and what tests write there themselves. */
final class Live implements AutoCloseable {
    private final Client client;
    private final StatefulConnection<byte[], byte[]> connection;

    /** A connection of the test's own. */
    Live() throws Exception {
        Endpoint endpoint = Endpoint.parse(url());
        client = Client.of(endpoint, endpoint.over(Options.defaults()));
        connection = client.connect().get(10, TimeUnit.SECONDS);
    }

    static String url() {
        String url = System.getenv("SKEWLESS_TEST_REDIS_URL");
        if (url == null || url.isEmpty()) {
            throw new AssertionError("these tests need a real server: set SKEWLESS_TEST_REDIS_URL, such as "
                    + "redis://127.0.0.1:6379/0; they write into the namespaces 'golden' and 'java' there");
        }
        return url;
    }

    static String namespace() {
        String named = System.getenv("SKEWLESS_TEST_NAMESPACE");
        return named == null ? Golden.read("store.json").get("namespace").asString() : named;
    }

    static JsonNode cases() {
        String named = System.getenv("SKEWLESS_TEST_CASES");
        return Golden.read(named == null ? Golden.file("cases.json") : Path.of(named)).get("cases");
    }

    /** Writes what the cases are asked of. */
    void loadStore() throws Exception {
        String named = System.getenv("SKEWLESS_TEST_STORE");
        if (named != null && named.isEmpty()) {
            return;
        }
        load(Golden.read(named == null ? Golden.file("store.json") : Path.of(named)));
    }

    void load(JsonNode store) throws Exception {
        for (JsonNode entry : store.get("entries")) {
            set(entry.get("key").asString(), Golden.bytes(entry.get("hex")));
        }
    }

    void set(String key, byte[] value) throws Exception {
        ask(CommandType.SET, Keys.bytes(key), value);
    }

    /** Writes several keys of one view at one instant. */
    void set(Object... keysAndValues) throws Exception {
        byte[][] arguments = new byte[keysAndValues.length][];
        for (int i = 0; i < arguments.length; i++) {
            arguments[i] = keysAndValues[i] instanceof String key ? Keys.bytes(key) : (byte[]) keysAndValues[i];
        }
        ask(CommandType.MSET, arguments);
    }

    List<Object> ask(CommandType type, byte[]... arguments) throws Exception {
        CommandArgs<byte[], byte[]> packed = new CommandArgs<>(ByteArrayCodec.INSTANCE);
        for (byte[] argument : arguments) {
            packed.addKey(argument);
        }
        CommandOutput<byte[], byte[], List<Object>> output = new NestedMultiOutput<>(ByteArrayCodec.INSTANCE);
        AsyncCommand<byte[], byte[], List<Object>> command = new AsyncCommand<>(new Command<>(type, output, packed));
        connection.dispatch(List.of(command));
        return command.get(10, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        client.close();
    }
}
