package endpoint

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestURLs(t *testing.T) {
	for url, expected := range map[string]endpoint{
		"redis://localhost:6379":           {hosts: []string{"localhost:6379"}},
		"redis://localhost/":               {hosts: []string{"localhost:6379"}},
		"redis://:p%40ss%2F@10.0.0.1:7/3":  {hosts: []string{"10.0.0.1:7"}, password: "p@ss/", db: 3},
		"redis://ann:a+b@[::1]/0":          {hosts: []string{"[::1]:6379"}, username: "ann", password: "a+b"},
		"redis://b%2dc+d:2":                {hosts: []string{"b-c+d:2"}},
		"redis://ann:a@b@h":                {hosts: []string{"h:6379"}, username: "ann", password: "a@b"},
		"rediss://h:1?ssl_ca_certs=/c.pem": {hosts: []string{"h:1"}, tls: true, caFile: "/c.pem"},
		"redis://h?socket_timeout=0.5&socket_connect_timeout=2&db=3&client_name=a%20b": {
			hosts: []string{"h:6379"}, timeout: 500 * time.Millisecond, connectTimeout: 2 * time.Second, db: 3, clientName: "a b",
		},
		"unix:///run/redis.sock?db=2":     {path: "/run/redis.sock", db: 2},
		"unix://ann:b@/run/redis%20.sock": {path: "/run/redis .sock", username: "ann", password: "b"},
		"redis+sentinel://ann:b@h1:1,h2/main/4?sentinel_username=c&sentinel_password=d": {
			topology: "sentinel", hosts: []string{"h1:1", "h2:26379"}, username: "ann", password: "b", master: "main", db: 4,
			sentinelUsername: "c", sentinelPassword: "d",
		},
		"rediss+sentinel://h1:1/main":   {topology: "sentinel", tls: true, hosts: []string{"h1:1"}, master: "main"},
		"redis+cluster://h1:1,h2:2":     {topology: "cluster", hosts: []string{"h1:1", "h2:2"}},
		"rediss+cluster://ann:b@h1:1/0": {topology: "cluster", tls: true, hosts: []string{"h1:1"}, username: "ann", password: "b"},
	} {
		if found, err := parse(url); err != nil || !reflect.DeepEqual(found, expected) {
			t.Errorf("%s: expected %v, got %v, %v", url, expected, found, err)
		}
	}
}

func TestWrongURLsAreRefusedWithoutTheirPasswords(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "http://ann:s3cret@h:1", "redis+cluste://ann:s3cret@h:1", "redis+://ann:s3cret@h:1", "unix+cluster://ann:s3cret@/h",
		"redis://ann:s3cret@", "redis://s3cret@h", "redis://ann:s3cret@:6379", "redis://ann:s3cret@h:0", "redis://ann:s3cret@h:99999",
		"redis://ann:s3cret@h:1/x", "redis://ann:s3cret@h:1/-1", "redis://ann:s3cret@h:1,h:2", "redis://ann:s3cret%@h:1",
		"redis://ann:/s3cret@h:1", "redis://ann:?s3cret@h:1", "redis://ann:#s3cret:@h:", "redis://h:1?password=s3cret",
		"redis+sentinel://ann:s3cret@h:1", "redis+sentinel://ann/s3cret@h", "redis+sentinel://ann:s3cret@h:1//2", "redis+cluster://ann:s3cret@h:1/2", "redis+cluster://h:1?db=1",
		"redis://h?socket_timeout=1m", "redis://h?socket_timeout=-1", "redis://h?socket_timeout=0", "unix://h/path", "unix://",
	} {
		_, err := parse(url)
		if err == nil || !strings.Contains(err.Error(), "redis://host:6379/0") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

func TestAnOptionThatSaysNothingIsNamed(t *testing.T) {
	for query, why := range map[string]string{
		"ssl_ca_certs=":               "its ssl_ca_certs names no file",
		"db=0&ssl_ca_certs":           "its ssl_ca_certs names no file",
		"ssl_ca_certs=%":              "a % in it begins no two hex digits",
		"socket_timeout=0":            "its socket_timeout is 0",
		"socket_timeout=":             "its socket_timeout is no number of seconds",
		"socket_connect_timeout=0":    "its socket_connect_timeout is 0",
		"socket_connect_timeout=-1.5": "its socket_connect_timeout is no number of seconds",
	} {
		if _, err := parse("rediss://h?" + query); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: expected %q, got %v", query, why, err)
		}
	}
}

func TestTLSIsForNothingElse(t *testing.T) {
	for url, isTLS := range map[string]bool{"redis://h:1": false, "rediss://h:1": true, "rediss+sentinel://h:1/m": true, "rediss+cluster://h:1": true} {
		option, err := Options(url, Settings{})
		if err != nil || (option.TLSConfig != nil) != isTLS || (option.Sentinel.TLSConfig != nil) != (isTLS && option.Sentinel.MasterSet != "") {
			t.Errorf("%s: %v, %v", url, option.TLSConfig, err)
		}
	}
}
