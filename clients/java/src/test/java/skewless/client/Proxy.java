package skewless.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Stands between a reader and the real server, passes all on, and can be cut, or swallow what the server answers. */
final class Proxy implements AutoCloseable {
    private final URI server = URI.create(Live.url());
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final AtomicInteger connections = new AtomicInteger();
    private volatile ServerSocket listener;
    private volatile boolean silent;
    private volatile int cutsToCome;

    Proxy() throws IOException {
        listen(0);
    }

    String url() {
        return "redis://127.0.0.1:" + listener.getLocalPort() + "/0";
    }

    /** How many connections there were. */
    int connections() {
        return connections.get();
    }

    /** From now on no answer comes through, or again every one. */
    void silence(boolean silent) {
        this.silent = silent;
    }

    /** The next so many answers do not come through: their connections are cut. */
    void cutAnswers(int count) {
        cutsToCome = count;
    }

    /** Cuts all connections. */
    void cut() throws IOException {
        for (Socket socket : sockets) {
            socket.close();
        }
        sockets.clear();
    }

    /** Cuts all connections, and takes none. */
    void stop() throws IOException {
        listener.close();
        cut();
    }

    /** Takes connections again, at the same port. */
    void start() throws IOException {
        listen(listener.getLocalPort());
    }

    @Override
    public void close() throws IOException {
        stop();
    }

    private void listen(int port) throws IOException {
        ServerSocket opened = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
        listener = opened;
        daemon(() -> {
            while (true) {
                Socket client = opened.accept();
                connections.incrementAndGet();
                Socket upstream = new Socket(server.getHost(), server.getPort());
                sockets.addAll(List.of(client, upstream));
                daemon(() -> pass(client, upstream, false));
                daemon(() -> pass(upstream, client, true));
            }
        });
    }

    private void pass(Socket from, Socket to, boolean answers) throws IOException {
        byte[] buffer = new byte[65536];
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream();
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            if (answers && cutsToCome > 0) {
                cutsToCome--;
                out.write(buffer, 0, count / 2);
                break;
            }
            if (!answers || !silent) {
                out.write(buffer, 0, count);
            }
        }
        from.close();
        to.close();
    }

    private interface Task {
        void run() throws IOException;
    }

    private static void daemon(Task task) {
        Thread thread = new Thread(() -> {
            try {
                task.run();
            } catch (IOException closed) {
                Thread.currentThread().interrupt(); // a socket was closed, which ends what it was for
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
