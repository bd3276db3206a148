package skewless

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"skewless/internal/endpoint"
)

const golden = "../../tests/golden/online"

// liveURL is the server of the run; without one, a test that needs it fails.
func liveURL(t testing.TB) string {
	t.Helper()
	url := os.Getenv("SKEWLESS_TEST_REDIS_URL")
	if url == "" {
		t.Fatal("no server to test with: set SKEWLESS_TEST_REDIS_URL to one whose keys may be written, such as redis://localhost:6379")
	}
	return url
}

// open opens a store that the test's end closes.
func open(t testing.TB, options Options) *Store {
	t.Helper()
	store, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// client gives a connection for what a test itself writes.
func client(t testing.TB, url string) rueidis.Client {
	t.Helper()
	option, err := endpoint.Options(url, endpoint.Settings{ConnectTimeout: 5 * time.Second, CommandTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	found, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(found.Close)
	return found
}

func set(t testing.TB, client rueidis.Client, key string, value []byte) {
	t.Helper()
	command := client.B().Set().Key(key).Value(string(value)).Build()
	if err := client.Do(context.Background(), command).Error(); err != nil {
		t.Fatal(err)
	}
}

type storeFile struct {
	Namespace string
	Entries   []struct{ Key, Hex string }
}

// load writes a store file's entries to the server, and gives the namespace to read.
func load(t testing.TB) string {
	t.Helper()
	path, given := os.LookupEnv("SKEWLESS_TEST_STORE")
	if !given {
		path = filepath.Join(golden, "store.json")
	}
	var file storeFile
	if path != "" {
		readJSON(t, path, &file)
		client := client(t, liveURL(t))
		for _, entry := range file.Entries {
			set(t, client, entry.Key, unhex(t, entry.Hex))
		}
	}
	if namespace := os.Getenv("SKEWLESS_TEST_NAMESPACE"); namespace != "" {
		return namespace
	}
	if file.Namespace == "" {
		t.Fatal("no store is loaded, so set SKEWLESS_TEST_NAMESPACE to the namespace to read")
	}
	return file.Namespace
}

// readJSON keeps numbers as they are written.
func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
