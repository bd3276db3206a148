package skewless.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

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
        "redis://:p+q@[::1]:7 SINGLE false - p+q ::1:7 - 0",
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
    void theFileOfCertificatesMayStandInTheUrl() {
        assertEquals(Path.of("/a b/ca.pem"), Endpoint.parse("rediss://h:1/0?ssl_ca_certs=/a%20b/ca.pem").caFile());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "", "h:6379", "http://h", "redis:/h", "redis://", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x",
        "redis://a,b", "redis://secret@h", "redis://u:sec/ret@h", "redis://u:sec@ret@h", "redis://u:sec%zz@h",
        "redis+sentinel://a:1", "redis+sentinel://a:1/", "redis+sentinel://a:1/m/x", "redis+cluster://a/1",
        "redis+cluster://a,", "redis+proxy://a", "redis://h?retry=3",
    })
    void otherUrlsAreRefusedAndNotShown(String url) {
        FeatureStoreException error = assertThrows(FeatureStoreException.Usage.class, () -> Endpoint.parse(url));
        assertFalse(error.getMessage().contains("sec"), error.getMessage());
        assertFalse(error.getMessage().contains("ret@"), error.getMessage());
    }

    @Test
    void sentinelsAreToldNoPasswordAndSpokenToAsTheServers() {
        RedisURI uri = Endpoint.parse("rediss+sentinel://u:p@a:1,b:2/main/4").uris(Duration.ofSeconds(1)).get(0);
        assertEquals("main", uri.getSentinelMasterId());
        assertEquals(List.of(true, true), uri.getSentinels().stream().map(RedisURI::isSsl).toList());
        assertEquals(List.of(1, 2), uri.getSentinels().stream().map(RedisURI::getPort).toList());
        assertFalse(uri.getSentinels().get(0).getCredentialsProvider().resolveCredentials().block().hasPassword());
        assertEquals("u", uri.getCredentialsProvider().resolveCredentials().block().getUsername());
    }
}
