package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lettuce.core.RedisCredentials;
import io.lettuce.core.RedisURI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EndpointTest {
    @ParameterizedTest
    @CsvSource(delimiter = ' ', nullValues = "-", value = {
        "redis://h SINGLE false - - h:6379 - 0",
        "redis://h:1/3 SINGLE false - - h:1 - 3",
        "rediss://u:p%40%2F@h:1/ SINGLE true u p@/ h:1 - 0",
        "redis://:p+q@[::1]:7 SINGLE false - p+q [::1]:7 - 0",
        "redis+cluster://[fe80::1],b%2dc+d:2 CLUSTER false - - [fe80::1]:6379,b-c+d:2 - 0",
        "redis+sentinel://a:1,b/main SENTINEL false - - a:1,b:26379 main 0",
        "rediss+sentinel://u:p@a:1,b:2/main/4 SENTINEL true u p a:1,b:2 main 4",
        "redis+cluster://a:1,b:2 CLUSTER false - - a:1,b:2 - 0",
        "rediss+cluster://u:p@a CLUSTER true u p a:6379 - 0",
    })
    void urlsAreReadAsWritten(String url, String kind, boolean tls, String user, String password, String hosts,
            String master, int database) {
        Endpoint endpoint = Endpoint.parse(url);
        assertEquals(kind, endpoint.kind().name());
        assertEquals(tls, endpoint.tls());
        assertEquals(user, endpoint.user());
        assertEquals(password, endpoint.password());
        assertEquals(hosts, String.join(",", endpoint.hosts().stream().map(Object::toString).toList()));
        assertEquals(master, endpoint.master());
        assertEquals(database, endpoint.database());
    }

    @Test
    void whatStandsBehindTheQuestionMarkWins() {
        Options given = new Options(Duration.ofSeconds(7), Duration.ofSeconds(8), Path.of("other.pem"));
        assertEquals(given, Endpoint.parse("rediss://h:1").over(given));
        Endpoint endpoint = Endpoint.parse("rediss://h:1/?ssl_ca_certs=/a%20b/ca.pem&socket_timeout=0.25"
                + "&socket_connect_timeout=2&client_name=till%201&db=3");
        assertEquals(new Options(Duration.ofSeconds(2), Duration.ofMillis(250), Path.of("/a b/ca.pem")), endpoint.over(given));
        assertEquals(3, endpoint.database());
        assertEquals("till 1", endpoint.uris(Duration.ofSeconds(1)).get(0).getClientName());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "h:6379", "http://h", "redis:/h", "redis://", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x",
        "redis://a,b", "redis://xqzz@h", "redis://u:xq/zz@h", "redis://u:xq@zz@h", "redis://u:xq%zz@h",
        "redis+sentinel://a:1", "redis+sentinel://a:1/", "redis+sentinel://a:1/m/x", "redis+cluster://a/1",
        "redis+cluster://a,", "redis+proxy://a", "redis://h?retry=3", "redis://h?db=x", "redis://h?socket_timeout=1e3",
        "redis://h?ssl_ca_certs=a.pem", "redis://h?sentinel_password=xq@zz@h", "redis+cluster://h?db=1", "redis://h?db",
        "redis://xq%zz", "redis://[::1", "redis://::1",
    })
    void otherUrlsAreRefusedAndNotShown(String url) {
        FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class, () -> Endpoint.parse(url));
        assertFalse(error.getMessage().contains("xq"), error.getMessage());
        assertFalse(error.getMessage().contains("zz@"), error.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = ':', value = {
        "ssl_ca_certs=:its ssl_ca_certs names no file",
        "socket_timeout=0:its socket_timeout is 0",
        "socket_timeout=:its socket_timeout is no number of seconds",
        "socket_timeout=-1:its socket_timeout is no number of seconds",
        "socket_connect_timeout=0.0:its socket_connect_timeout is 0",
    })
    void anOptionThatSaysNothingIsNamed(String query, String why) {
        FeatureStoreException error =
                assertThrows(FeatureStoreException.Usage.class, () -> Endpoint.parse("rediss://h?" + query));
        assertTrue(error.getMessage().contains(why), error.getMessage());
    }

    @Test
    void anAddressOfIpVersion6HasBracketsInMessagesAlone() {
        Endpoint endpoint = Endpoint.parse("redis+sentinel://[::1],[::2]:7/main");
        assertEquals("[::1]:26379,[::2]:7 (master main)", endpoint.address());
        assertEquals(List.of("::1", "::2"), endpoint.uris(Duration.ofSeconds(1)).get(0).getSentinels().stream()
                .map(RedisURI::getHost).toList());
    }

    @Test
    void sentinelsHaveAUserOfTheirOwnAndTheTlsOfTheServers() {
        String url = "rediss+sentinel://u:p@a:1,b:2/main/4";
        RedisURI uri = Endpoint.parse(url).uris(Duration.ofSeconds(1)).get(0);
        assertEquals("main", uri.getSentinelMasterId());
        assertEquals(List.of(true, true), uri.getSentinels().stream().map(RedisURI::isSsl).toList());
        assertEquals(List.of(1, 2), uri.getSentinels().stream().map(RedisURI::getPort).toList());
        assertEquals("u", login(uri).getUsername());
        assertFalse(login(uri.getSentinels().get(0)).hasPassword());
        RedisURI named = Endpoint.parse(url + "?sentinel_username=v&sentinel_password=q%40").uris(Duration.ofSeconds(1)).get(0);
        assertEquals("u", login(named).getUsername());
        assertEquals("v", login(named.getSentinels().get(1)).getUsername());
        assertEquals("q@", new String(login(named.getSentinels().get(1)).getPassword()));
    }

    private static RedisCredentials login(RedisURI uri) {
        return uri.getCredentialsProvider().resolveCredentials().block();
    }
}
