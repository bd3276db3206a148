// Command bench measures lookups against a bare MGET of the same keys by the same client library.
//
//	go run ./bench -url redis://localhost:6379 -namespace prod -view stats -fields 10 -last 999999
//
// It prints a JSON object for each batch size; times are microseconds.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"skewless"
	"skewless/internal/endpoint"
)

const patience = 5 * time.Second

var (
	url       = flag.String("url", "redis://localhost:6379", "the online store")
	namespace = flag.String("namespace", "", "the namespace")
	view      = flag.String("view", "", "a view with one join key, an integer")
	fields    = flag.Int("fields", 10, "how many fields: f0, f1, ...")
	first     = flag.Int64("first", 0, "the first entity")
	last      = flag.Int64("last", 999, "the last entity")
	batches   = flag.String("batches", "1,10,100,1000", "the entities of a request")
	rounds    = flag.Int("rounds", 2000, "how often each is measured")
	seed      = flag.Uint64("seed", 1, "of the choice of entities")
)

type result struct {
	Batch     int     `json:"batch"`
	Fields    int     `json:"fields"`
	Rounds    int     `json:"rounds"`
	ReaderP50 float64 `json:"reader_p50_us"`
	ReaderP99 float64 `json:"reader_p99_us"`
	MgetP50   float64 `json:"mget_p50_us"`
	MgetP99   float64 `json:"mget_p99_us"`
	Ratio     float64 `json:"ratio_p50"`
}

type bench struct {
	store    *skewless.Store
	client   rueidis.Client
	prefix   string
	features []string
	random   *rand.Rand
}

func main() {
	flag.Parse()
	bench := connect()
	defer bench.store.Close()
	defer bench.client.Close()
	for _, size := range strings.Split(*batches, ",") {
		batch, err := strconv.Atoi(size)
		check(err)
		check(json.NewEncoder(os.Stdout).Encode(bench.measure(batch)))
	}
}

func connect() *bench {
	store, err := skewless.Open(skewless.Options{URL: *url, Namespace: *namespace})
	check(err)
	option, err := endpoint.Options(*url, endpoint.Settings{ConnectTimeout: patience, CommandTimeout: patience})
	check(err)
	client, err := rueidis.NewClient(option)
	check(err)
	found := &bench{store: store, client: client, random: rand.New(rand.NewPCG(*seed, 0))}
	for i := range *fields {
		found.features = append(found.features, fmt.Sprintf("%s:f%d", *view, i))
	}
	found.prefix = fmt.Sprintf("{%s:%s}:%d:", *namespace, *view, found.epoch())
	return found
}

// epoch gives the view's live epoch: the fourth number of its pointer, each of nine bytes.
func (b *bench) epoch() int64 {
	key := fmt.Sprintf("{%s:%s}:p", *namespace, *view)
	pointer, err := b.client.Do(context.Background(), b.client.B().Get().Key(key).Build()).AsBytes()
	check(err)
	var epoch int64
	for _, digit := range pointer[1+3*9+1 : 1+4*9] {
		epoch = epoch<<8 | int64(digit)
	}
	return epoch
}

// measure takes both in turn, so that both meet the same machine.
func (b *bench) measure(batch int) result {
	var reader, mget []time.Duration
	for round := range *rounds + *rounds/10 {
		ids := make([]int64, batch)
		keys := make([]string, batch)
		for i := range ids {
			ids[i] = *first + b.random.Int64N(*last-*first+1)
			keys[i] = b.prefix + strconv.FormatInt(ids[i], 10)
		}
		var lookup, bare time.Duration
		if round%2 == 0 { // the second finds the entities in the server's caches
			lookup, bare = b.lookup(ids), b.bare(keys)
		} else {
			bare, lookup = b.bare(keys), b.lookup(ids)
		}
		if round >= *rounds/10 { // warm
			reader, mget = append(reader, lookup), append(mget, bare)
		}
	}
	found := result{
		batch, *fields, *rounds, quantile(reader, 50), quantile(reader, 99), quantile(mget, 50), quantile(mget, 99), 0,
	}
	found.Ratio = found.ReaderP50 / found.MgetP50
	return found
}

// lookup reads each field of each entity, as an application does.
func (b *bench) lookup(ids []int64) time.Duration {
	begun := time.Now()
	answer, err := b.store.Lookup(context.Background(), skewless.Entities(ids...), b.features...)
	check(err)
	for _, name := range answer.Names {
		values, err := skewless.Column[float32](answer, name)
		check(err)
		if len(values.Values) != len(ids) || values.Null != nil {
			log.Fatalf("%s: an entity has no value", name)
		}
	}
	return time.Since(begun)
}

func (b *bench) bare(keys []string) time.Duration {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := b.client.Do(ctx, b.client.B().Mget().Key(keys...).Build()).ToArray()
	check(err)
	if len(found) != len(keys) || found[0].IsNil() {
		log.Fatalf("%s: there is no such key", keys[0])
	}
	return time.Since(begun)
}

func quantile(times []time.Duration, percent int) float64 {
	slices.Sort(times)
	return float64(times[len(times)*percent/100].Nanoseconds()) / 1000
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
