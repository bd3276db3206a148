package skewless.client;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.CommandOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * One connection to the store, shared by all threads; in a Cluster, one to each node.
 *
 * <p>Lettuce neither reconnects nor sends anything again here. A connection that broke, or on which an answer is
 * overdue, is closed and replaced, and what was asked on it is asked once more, which does no harm as all of it reads.
 */
final class Connection implements AutoCloseable {
    private static final int TRIES = 20; // while a slot of a Cluster moves, and a node is connected to that gets it
    private static final Duration PAUSE = Duration.ofMillis(50);

    private final Client client;
    private final String address;
    private final Duration timeout;
    private final Duration patience; // with a connect, its handshake, and finding out where to
    private CompletableFuture<? extends StatefulConnection<byte[], byte[]>> link;
    private boolean closed;

    /** Connects; Unavailable where that is not possible. */
    Connection(Endpoint endpoint, Options given) {
        Options options = endpoint.over(given);
        client = Client.of(endpoint, options);
        address = endpoint.address();
        timeout = options.commandTimeout();
        patience = options.connectTimeout().plus(options.commandTimeout());
        try {
            ask(List.of());
        } catch (FeatureStoreException error) {
            close();
            throw error;
        }
    }

    /** Sends an MGET of each array of keys, all at once, and gives the replies in their order. */
    List<Values> ask(List<byte[][]> commands) {
        boolean again = true;
        for (int tries = 1; ; tries++) {
            CompletableFuture<? extends StatefulConnection<byte[], byte[]>> used = link();
            try {
                return exchange(within(patience, used), commands);
            } catch (Refused error) {
                if (!error.mayPass() || tries == TRIES) {
                    throw unavailable(error);
                }
                pause();
            } catch (Lost error) {
                if (error.wasNotSent() && tries < TRIES) {
                    pause();
                    continue;
                }
                used.thenAccept(StatefulConnection::closeAsync);
                if (!again) {
                    throw unavailable(error);
                }
                again = false;
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        client.close();
    }

    private List<Values> exchange(StatefulConnection<byte[], byte[]> connection, List<byte[][]> commands)
            throws Lost, Refused {
        List<AsyncCommand<byte[], byte[], Values>> sent = commands.stream().map(Connection::mget).toList();
        send(connection, sent);
        long deadline = System.nanoTime() + timeout.toNanos();
        List<Values> replies = new ArrayList<>(sent.size());
        for (AsyncCommand<byte[], byte[], Values> command : sent) {
            replies.add(within(Duration.ofNanos(deadline - System.nanoTime()), command));
        }
        return replies;
    }

    /** The connection; a new one where there is none that is open. */
    private synchronized CompletableFuture<? extends StatefulConnection<byte[], byte[]>> link() {
        if (closed) {
            throw new FeatureStoreException.Usage("this feature store is closed; connect again");
        }
        if (link == null || link.isDone() && (link.isCompletedExceptionally() || !link.join().isOpen())) {
            link = client.connect();
        }
        return link;
    }

    // -- commands -----------------------------------------------------------------------------------------

    private static AsyncCommand<byte[], byte[], Values> mget(byte[][] keys) {
        CommandArgs<byte[], byte[]> arguments = new CommandArgs<>(ByteArrayCodec.INSTANCE).addKeys(keys);
        return new AsyncCommand<>(new Command<>(CommandType.MGET, new Output(), arguments));
    }

    private static final class Output extends CommandOutput<byte[], byte[], Values> {
        private Output() {
            super(ByteArrayCodec.INSTANCE, new Values());
        }

        @Override
        public void multi(int count) {
            output.begin(Math.max(count, 0));
        }

        @Override
        public void set(ByteBuffer bytes) {
            output.add(bytes);
        }
    }

    // -- what can go wrong --------------------------------------------------------------------------------

    /** The connection is of no more use. */
    private static final class Lost extends Exception {
        private static final long serialVersionUID = 1L;

        private Lost(String message, Throwable cause) {
            super(message, cause);
        }

        /** Whether Lettuce found no connection that is open, at least not yet. */
        private boolean wasNotSent() {
            return getMessage().startsWith("Currently not connected");
        }
    }

    /** The server answered with an error, and the connection is as good as before. */
    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        private Refused(String message, Throwable cause) {
            super(message, cause);
        }

        /** Whether some keys of a slot that moves are on one node, and some on the other. */
        private boolean mayPass() {
            return getMessage().startsWith("TRYAGAIN");
        }
    }

    private static void send(StatefulConnection<byte[], byte[]> connection,
            List<AsyncCommand<byte[], byte[], Values>> commands) throws Lost, Refused {
        try {
            connection.dispatch(commands);
        } catch (RedisException error) { // a Cluster connects to a node when it is first needed
            throw sorted(error);
        }
    }

    /** Waits for a result. */
    private static <T> T within(Duration time, Future<T> result) throws Lost, Refused {
        try {
            return result.get(time.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException error) {
            throw new Lost("no answer in time", error);
        } catch (CancellationException error) {
            throw new Lost("the connection was closed", error);
        } catch (ExecutionException error) {
            throw sorted(error.getCause());
        } catch (InterruptedException error) {
            throw interrupted(error);
        }
    }

    private static Lost sorted(Throwable error) throws Refused {
        Throwable root = error;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
        if (root instanceof RedisCommandExecutionException) {
            throw new Refused(message, error);
        }
        return new Lost(message, error);
    }

    private FeatureStoreException unavailable(Exception error) {
        String what = error instanceof Refused ? " refuses: " : " cannot be reached: ";
        return new FeatureStoreException.Unavailable("the store at " + address + what + error.getMessage()
                + "; see whether it runs and is well, and check the URL, its user and that user's rights", error);
    }

    private static void pause() {
        try {
            Thread.sleep(PAUSE.toMillis());
        } catch (InterruptedException error) {
            throw interrupted(error);
        }
    }

    private static FeatureStoreException interrupted(InterruptedException error) {
        Thread.currentThread().interrupt();
        return new FeatureStoreException.Unavailable("the thread was interrupted while it waited for the store", error);
    }
}
