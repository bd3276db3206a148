package skewless.client;

import io.lettuce.core.RedisURI;
import io.lettuce.core.StaticCredentialsProvider;
import java.math.BigDecimal;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a store is, from its URL, which is the same in every language. No message shows it, as it may have a password.
 *
 * @param user     null: the server's default user
 * @param password null: none is asked for
 * @param master   the name under which Sentinel has the server; otherwise null
 * @param more     what stands behind the ?, by name
 */
record Endpoint(Kind kind, boolean tls, String user, String password, List<Host> hosts, String master, int database,
        Map<String, String> more) {
    private static final String CA_FILE = "ssl_ca_certs";
    private static final String SENTINEL_USER = "sentinel_username";
    private static final String SENTINEL_PASSWORD = "sentinel_password";
    private static final String CLIENT_NAME = "client_name";
    private static final String COMMAND_TIMEOUT = "socket_timeout";
    private static final String CONNECT_TIMEOUT = "socket_connect_timeout";
    private static final String DATABASE = "db";
    private static final List<String> MORE = List.of(
            CA_FILE, SENTINEL_USER, SENTINEL_PASSWORD, CLIENT_NAME, COMMAND_TIMEOUT, CONNECT_TIMEOUT, DATABASE);

    enum Kind { SINGLE, SENTINEL, CLUSTER }

    record Host(String name, int port) {
        @Override
        public String toString() {
            return (name.contains(":") ? "[" + name + "]" : name) + ":" + port;
        }
    }

    private static final Pattern URL = Pattern.compile("redis(s?)(?:\\+(sentinel|cluster))?://(?:([^@/?#]*)@)?([^@/?#]+)"
            + "(?:/([^?#@]*))?(?:\\?([^#@]*))?");
    private static final Pattern SECONDS = Pattern.compile("[0-9]{1,9}(\\.[0-9]{1,9})?");
    private static final Pattern HOST = Pattern.compile("(?:\\[([0-9A-Fa-f:.]+)]|([^:\\[\\]\\s]+))(?::([0-9]{1,5}))?");
    private static final Pattern PATH = Pattern.compile("([0-9]{1,6})?");
    private static final Pattern SENTINEL_PATH = Pattern.compile("([^/]+)(?:/([0-9]{1,6})?)?");

    /** Usage where it is not the URL of a store. */
    static Endpoint parse(String url) {
        Matcher match = URL.matcher(url);
        if (!match.matches()) {
            throw wrong("it is of no known form");
        }
        Kind kind = match.group(2) == null ? Kind.SINGLE : Kind.valueOf(match.group(2).toUpperCase(Locale.ROOT));
        boolean tls = !match.group(1).isEmpty();
        String[] login = login(match.group(3));
        List<Host> hosts = hosts(match.group(4), kind);
        String path = match.group(5) == null ? "" : match.group(5);
        Matcher parts = (kind == Kind.SENTINEL ? SENTINEL_PATH : PATH).matcher(path);
        if (!parts.matches()) {
            throw wrong(kind == Kind.SENTINEL ? "the master's name is missing" : "what follows the hosts is no database");
        }
        Map<String, String> more = more(match.group(6));
        if (more.containsKey(CA_FILE) && !tls) {
            throw wrong(CA_FILE + " is for TLS, and it does not begin with rediss");
        }
        String master = kind == Kind.SENTINEL ? decoded(parts.group(1)) : null;
        String number = parts.group(parts.groupCount());
        int database = number(number == null ? more.getOrDefault(DATABASE, "0") : number);
        if (kind == Kind.CLUSTER && database != 0) {
            throw wrong("a Cluster has no databases but 0");
        }
        return new Endpoint(kind, tls, login[0], login[1], hosts, master, database, more);
    }

    /** Options, in which what the URL says wins. */
    Options over(Options given) {
        return new Options(seconds(more, CONNECT_TIMEOUT, given.connectTimeout()),
                seconds(more, COMMAND_TIMEOUT, given.commandTimeout()),
                more.containsKey(CA_FILE) ? Path.of(more.get(CA_FILE)) : given.caFile());
    }

    /** As Lettuce has it: one, or one for each node of a Cluster that is named. */
    List<RedisURI> uris(Duration timeout) {
        if (kind == Kind.SENTINEL) {
            RedisURI.Builder builder = RedisURI.builder().withSentinelMasterId(master);
            hosts.forEach(host -> builder.withSentinel(sentinel(host)));
            return List.of(completed(builder, timeout));
        }
        return hosts.stream().map(host -> completed(at(host), timeout)).toList();
    }

    /** The hosts and their ports, for messages. */
    String address() {
        String joined = String.join(",", hosts.stream().map(Host::toString).toList());
        return kind == Kind.SENTINEL ? joined + " (master " + master + ")" : joined;
    }

    @Override
    public String toString() {
        return address();
    }

    private RedisURI completed(RedisURI.Builder builder, Duration timeout) {
        builder.withSsl(tls).withDatabase(database).withTimeout(timeout).withAuthentication(login(user, password));
        if (more.containsKey(CLIENT_NAME)) {
            builder.withClientName(more.get(CLIENT_NAME));
        }
        return builder.build();
    }

    private RedisURI sentinel(Host host) {
        return at(host).withAuthentication(login(more.get(SENTINEL_USER), more.get(SENTINEL_PASSWORD))).build();
    }

    private static RedisURI.Builder at(Host host) {
        return RedisURI.builder().withHost(host.name).withPort(host.port);
    }

    /** Of Lettuce's ways the one that asks no other thread: with others, what a server says against a user may be lost. */
    private static StaticCredentialsProvider login(String user, String password) {
        return new StaticCredentialsProvider(user, password == null ? null : password.toCharArray());
    }

    // -- parts of the URL ---------------------------------------------------------------------------------

    /** The user and the password, either of them null where there is none. */
    private static String[] login(String userInfo) {
        if (userInfo == null) {
            return new String[2];
        }
        int colon = userInfo.indexOf(':');
        if (colon < 0) {
            throw wrong("a user has no password; write user:password@, or :password@ for the default user");
        }
        String user = colon == 0 ? null : decoded(userInfo.substring(0, colon));
        return new String[] {user, decoded(userInfo.substring(colon + 1))};
    }

    private static List<Host> hosts(String joined, Kind kind) {
        List<Host> hosts = new ArrayList<>();
        for (String part : joined.split(",", -1)) {
            Matcher match = HOST.matcher(part);
            if (!match.matches()) {
                throw wrong("a host in it is not of the form host:port");
            }
            int usual = kind == Kind.SENTINEL ? 26379 : 6379;
            int port = match.group(3) == null ? usual : Integer.parseInt(match.group(3));
            if (port < 1 || port > 65535) {
                throw wrong(port + " is no port");
            }
            hosts.add(new Host(match.group(1) == null ? decoded(match.group(2)) : match.group(1), port));
        }
        if (kind == Kind.SINGLE && hosts.size() > 1) {
            throw wrong("it has several hosts, and says neither sentinel nor cluster");
        }
        return List.copyOf(hosts);
    }

    private static Map<String, String> more(String query) {
        Map<String, String> more = new HashMap<>();
        for (String item : query == null || query.isEmpty() ? new String[0] : query.split("&")) {
            int equals = item.indexOf('=');
            if (equals < 0 || !MORE.contains(item.substring(0, equals))) {
                throw wrong("behind the ? it may have " + String.join(", ", MORE) + ", and no others");
            }
            more.put(item.substring(0, equals), decoded(item.substring(equals + 1)));
        }
        seconds(more, CONNECT_TIMEOUT, null);
        seconds(more, COMMAND_TIMEOUT, null);
        if ("".equals(more.get(CA_FILE))) {
            throw wrong("its " + CA_FILE + " names no file");
        }
        return Map.copyOf(more);
    }

    private static Duration seconds(Map<String, String> more, String name, Duration otherwise) {
        if (!more.containsKey(name)) {
            return otherwise;
        } else if (!SECONDS.matcher(more.get(name)).matches()) {
            throw wrong("its " + name + " is no number of seconds");
        }
        Duration found = Duration.ofNanos(new BigDecimal(more.get(name)).movePointRight(9).longValueExact());
        if (found.isZero()) {
            throw wrong("its " + name + " is 0; leave it out for the usual one");
        }
        return found;
    }

    private static int number(String text) {
        if (!PATH.matcher(text).matches()) {
            throw wrong("its database is no number");
        }
        return Integer.parseInt(text);
    }

    private static String decoded(String text) {
        try {
            return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException error) {
            throw wrong("a % in it begins no two hex digits");
        }
    }

    private static FeatureStoreException wrong(String why) {
        return new FeatureStoreException.Usage("the store's URL is wrong: " + why + "; write redis://host:6379/0, "
                + "redis+sentinel://host:26379,host:26379/master/0 or redis+cluster://host:6379,host:6379, with rediss for "
                + "TLS, and user:password@ before the hosts");
    }
}
