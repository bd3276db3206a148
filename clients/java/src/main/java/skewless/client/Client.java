package skewless.client;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.protocol.ProtocolVersion;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Lettuce's client of one endpoint: a server, one that Sentinel names at each connect, or a Cluster. */
abstract sealed class Client implements AutoCloseable {
    private static final Duration GRACE = Duration.ofSeconds(2);

    private Client() { }

    static Client of(Endpoint endpoint, Options options) {
        Path caFile = options.caFile();
        if (caFile != null && (!Files.isReadable(caFile) || Files.isDirectory(caFile))) {
            throw new FeatureStoreException.Usage(
                    "there is no file of certificates at " + caFile + "; give the path of one in PEM");
        }
        List<RedisURI> uris = endpoint.uris(options.commandTimeout());
        return switch (endpoint.kind()) {
            case SINGLE, SENTINEL -> new Server(uris.get(0), options, caFile);
            case CLUSTER -> new Cluster(uris, options, caFile);
        };
    }

    /** A new connection, which is not used by anyone else. */
    abstract CompletableFuture<? extends StatefulConnection<byte[], byte[]>> connect();

    @Override
    public abstract void close();

    /** Nothing is reconnected, replayed or queued; RESP2 needs no right to any command but AUTH or PING. */
    private static ClientOptions.Builder completed(ClientOptions.Builder builder, Options options, Path caFile) {
        SocketOptions socket = SocketOptions.builder().connectTimeout(options.connectTimeout()).keepAlive(true).build();
        builder.autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .protocolVersion(ProtocolVersion.RESP2)
                .socketOptions(socket);
        if (caFile != null) {
            builder.sslOptions(SslOptions.builder().trustManager(caFile.toFile()).build());
        }
        return builder;
    }

    private static final class Server extends Client {
        private final RedisClient client = RedisClient.create();
        private final RedisURI uri;

        private Server(RedisURI uri, Options options, Path caFile) {
            this.uri = uri;
            client.setOptions(completed(ClientOptions.builder(), options, caFile).build());
        }

        @Override
        CompletableFuture<? extends StatefulConnection<byte[], byte[]>> connect() {
            return client.connectAsync(ByteArrayCodec.INSTANCE, uri).toCompletableFuture();
        }

        @Override
        public void close() {
            client.shutdown(Duration.ZERO, GRACE);
        }
    }

    private static final class Cluster extends Client {
        private final RedisClusterClient client;

        private Cluster(List<RedisURI> uris, Options options, Path caFile) {
            ClusterClientOptions.Builder builder = ClusterClientOptions.builder();
            completed(builder, options, caFile);
            client = RedisClusterClient.create(uris);
            client.setOptions(builder.build());
        }

        /** Connects to the nodes as they are now. */
        @Override
        CompletableFuture<? extends StatefulConnection<byte[], byte[]>> connect() {
            return client.refreshPartitionsAsync()
                    .thenCompose(done -> client.connectAsync(ByteArrayCodec.INSTANCE)).toCompletableFuture();
        }

        @Override
        public void close() {
            client.shutdown(Duration.ZERO, GRACE);
        }
    }
}
