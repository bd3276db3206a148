package endpoint

import (
	"reflect"
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for url, expected := range map[string]endpoint{
		"redis://localhost:6379":           {addresses: []string{"localhost:6379"}},
		"redis://localhost:6379/":          {addresses: []string{"localhost:6379"}},
		"redis://:p%40ss%2F@10.0.0.1:7/3":  {addresses: []string{"10.0.0.1:7"}, password: "p@ss/", db: 3},
		"redis://ann:a+b@[::1]:6379/0":     {addresses: []string{"[::1]:6379"}, username: "ann", password: "a+b"},
		"rediss://h:1?ssl_ca_certs=/c.pem": {addresses: []string{"h:1"}, tls: true, caFile: "/c.pem"},
		"redis+sentinel://ann:b@h1:1,h2:2/main/4": {
			topology: "sentinel", addresses: []string{"h1:1", "h2:2"}, username: "ann", password: "b", master: "main", db: 4,
		},
		"rediss+sentinel://h1:1/main":   {topology: "sentinel", tls: true, addresses: []string{"h1:1"}, master: "main"},
		"redis+cluster://h1:1,h2:2":     {topology: "cluster", addresses: []string{"h1:1", "h2:2"}},
		"rediss+cluster://ann:b@h1:1/0": {topology: "cluster", tls: true, addresses: []string{"h1:1"}, username: "ann", password: "b"},
	} {
		if found, err := parse(url); err != nil || !reflect.DeepEqual(found, expected) {
			t.Errorf("%s: expected %v, got %v, %v", url, expected, found, err)
		}
	}
}

func TestWrongURLsAreRefusedWithoutTheirPasswords(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "http://ann:s3cret@h:1", "redis+cluste://ann:s3cret@h:1", "redis+://ann:s3cret@h:1",
		"redis://ann:s3cret@", "redis://ann:s3cret@h", "redis://ann:s3cret@:6379", "redis://ann:s3cret@h:0", "redis://ann:s3cret@h:99999",
		"redis://ann:s3cret@h:1/x", "redis://ann:s3cret@h:1/-1", "redis://ann:s3cret@h:1,h:2", "redis://ann:s3cret%@h:1",
		"redis://ann:/s3cret@h:1", "redis://ann:?s3cret@h:1", "redis://ann:#s3cret:@h", "redis://h:1?password=s3cret",
		"redis+sentinel://ann:s3cret@h:1", "redis+sentinel://ann:s3cret@h:1//2", "redis+cluster://ann:s3cret@h:1/2",
	} {
		_, err := parse(url)
		if err == nil || !strings.Contains(err.Error(), "redis://[user:password@]host:port") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", url, err)
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
