package skewless

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// demandURL leaves out a test whose servers this run has not; tests/clients/test_go.py has them all.
func demandURL(t *testing.T, scheme string) string {
	t.Helper()
	url := liveURL(t)
	if found, _, _ := strings.Cut(url, "://"); found != scheme {
		t.Skipf("SKEWLESS_TEST_REDIS_URL is of %s; this test is of %s", found, scheme)
	}
	return url
}

func TestTLSNeedsTheServersCA(t *testing.T) {
	url, query, _ := strings.Cut(demandURL(t, "rediss"), "?")
	file := strings.TrimPrefix(query, "ssl_ca_certs=")
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("the URL should end with ?ssl_ca_certs=file: %v", err)
	}
	open(t, Options{URL: url, Namespace: "dev", CAFile: file})
	_, err := Open(Options{URL: url, Namespace: "dev"})
	demandUnavailable(t, err, "certificate")
	_, err = Open(Options{URL: strings.Replace(url, "rediss", "redis", 1), Namespace: "dev", ConnectTimeout: time.Second})
	demandUnavailable(t, err, "cannot be reached")
}

func TestSentinelFailover(t *testing.T) {
	url := demandURL(t, "redis+sentinel")
	stage := published(t, "view")
	ask := func(ctx context.Context, store *Store) (int64, error) {
		values, err := store.GetOnlineFeatures(ctx, 7, "view:mark")
		if err != nil {
			return 0, err
		}
		return values[0].(int64), nil
	}
	store := open(t, Options{URL: url, Namespace: stage.namespace})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if mark, err := ask(ctx, store); mark != 7 || err != nil {
		t.Fatalf("got %d, %v", mark, err)
	}
	for replicas := int64(0); replicas < 1; {
		replicas, _ = stage.client.Do(ctx, stage.client.B().Wait().Numreplicas(1).Timeout(1000).Build()).AsInt64()
	}
	stage.client.Do(ctx, stage.client.B().Arbitrary("SHUTDOWN", "NOSAVE").Build())
	if _, err := ask(ctx, store); !errors.Is(err, ErrUnavailable) {
		t.Errorf("the master is away: got %v", err)
	}
	for {
		mark, err := ask(ctx, store)
		if err == nil && mark == 7 {
			break
		}
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			t.Fatalf("got %d, %v", mark, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// move is a view's slot on its way from one node of a Cluster to another.
type move struct {
	t                *testing.T
	from, to         rueidis.Client
	slot, host, port string
	fromID, toID     string
}

func say(t *testing.T, client rueidis.Client, words ...string) string {
	t.Helper()
	result := client.Do(context.Background(), client.B().Arbitrary(words...).Build())
	if number, err := result.AsInt64(); err == nil {
		return fmt.Sprint(number)
	}
	text, err := result.ToString()
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return text
}

func begin(t *testing.T, stage *stage) *move {
	found := &move{t: t}
	for address, node := range stage.client.Nodes() {
		found.slot = say(t, node, "CLUSTER", "KEYSLOT", stage.key("p"))
		if node.Do(context.Background(), node.B().Arbitrary("GET", stage.key("p")).Build()).Error() == nil {
			found.from, found.fromID = node, say(t, node, "CLUSTER", "MYID")
		} else if found.to == nil {
			found.to, found.toID = node, say(t, node, "CLUSTER", "MYID")
			found.host, found.port, _ = net.SplitHostPort(address)
		}
	}
	say(t, found.to, "CLUSTER", "SETSLOT", found.slot, "IMPORTING", found.fromID)
	say(t, found.from, "CLUSTER", "SETSLOT", found.slot, "MIGRATING", found.toID)
	return found
}

func (m *move) keys(keys ...string) {
	m.t.Helper()
	say(m.t, m.from, slices.Concat([]string{"MIGRATE", m.host, m.port, "", "0", "5000", "KEYS"}, keys)...)
}

func (m *move) end() {
	m.t.Helper()
	say(m.t, m.to, "CLUSTER", "SETSLOT", m.slot, "NODE", m.toID)
	say(m.t, m.from, "CLUSTER", "SETSLOT", m.slot, "NODE", m.toID)
}

func TestAClustersSlotMoves(t *testing.T) {
	url := demandURL(t, "redis+cluster")
	stage := published(t, "view")
	store := open(t, Options{URL: url, Namespace: stage.namespace})
	check := func(when string) {
		t.Helper()
		answer, err := store.Lookup(context.Background(), Entities(0, 3, 9), "view:mark")
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		marks, _ := Column[int64](answer, "view__mark")
		if !slices.Equal(marks.Values, []int64{7, 7, 7}) {
			t.Errorf("%s: got %v", when, marks.Values)
		}
	}
	check("before")
	move := begin(t, stage)
	check("before the first key moves")
	var rest []string
	for id := range 10 {
		rest = append(rest, stage.key(fmt.Sprintf("1:%d", id)))
	}
	move.keys(rest[:5]...)
	begun := time.Now()
	_, err := store.Lookup(context.Background(), Entities(0, 9), "view:mark")
	if demandUnavailable(t, err, "TRYAGAIN"); time.Since(begun) > 10*time.Second {
		t.Errorf("it took %v", time.Since(begun))
	}
	go func() {
		time.Sleep(200 * time.Millisecond)
		move.keys(append(rest[5:], stage.key("p"), stage.key("a"), stage.key("m:1"))...)
		move.end()
	}()
	check("on its way")
	check("moved")
	if values, err := store.GetOnlineFeatures(context.Background(), 10, "view:mark"); err != nil || values[0] != int64(-1) {
		t.Errorf("an absent entity: got %v, %v", values, err)
	}
}

func TestViewsOfOneRequestLieOnManyNodes(t *testing.T) {
	url := demandURL(t, "redis+cluster")
	first := published(t, "view0")
	names, expected := []string{"view0:mark"}, []any{int64(7)}
	for i := 1; i < 12; i++ {
		view := published(t, fmt.Sprintf("view%d", i))
		view.namespace = first.namespace
		view.meta(t, 1, "id")
		view.rows(t, 1, 1, int64(7+i), 0, 7)
		view.flip(t, 1, 1, 1)
		names, expected = append(names, view.view+":mark"), append(expected, int64(7+i))
	}
	store := open(t, Options{URL: url, Namespace: first.namespace})
	values, err := store.GetOnlineFeatures(context.Background(), 7, names...)
	if err != nil || !slices.Equal(values, expected) {
		t.Errorf("expected %v, got %v, %v", expected, values, err)
	}
	_, err = Open(Options{URL: strings.Replace(strings.Split(url, ",")[0], "redis+cluster", "redis", 1), Namespace: "dev"})
	if err != nil {
		t.Error(err)
	}
}
