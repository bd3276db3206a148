// Command bench measures lookups, and beside each the bare MGET of the same keys by the same client library.
//
//	go run ./bench <url> <namespace> <view> <fields> <first> <last> <batches> <rounds>
//
// The view has one join key, an integer, and float32 fields f0, f1, ...; entities are drawn from first to last. Of each
// batch size it prints a line of JSON: the 50th and 99th percentiles, in microseconds, of a lookup that is read as columns
// and as maps, and of the MGET.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/tinylib/msgp/msgp"

	"skewless"
	"skewless/internal/endpoint"
)

const (
	patience = 5 * time.Second
	warmUp   = 500
)

type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

type result struct {
	Batch  int         `json:"batch"`
	Rounds int         `json:"rounds"`
	Read   percentiles `json:"read"`
	Rows   percentiles `json:"rows"`
	Mget   percentiles `json:"mget"`
}

type bench struct {
	store       *skewless.Store
	client      rueidis.Client
	prefix      string
	features    []string
	first, last int64
	random      *rand.Rand
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 9 {
		log.Fatal("usage: bench <url> <namespace> <view> <fields> <first> <last> <batches> <rounds>")
	}
	found := connect(os.Args[1], os.Args[2], os.Args[3], number(os.Args[4]))
	found.first, found.last = int64(number(os.Args[5])), int64(number(os.Args[6]))
	defer found.store.Close()
	defer found.client.Close()
	for batch := range strings.SplitSeq(os.Args[7], ",") {
		check(json.NewEncoder(os.Stdout).Encode(found.measure(number(batch), number(os.Args[8]))))
	}
}

func connect(url, namespace, view string, fields int) *bench {
	store, err := skewless.Open(skewless.Options{URL: url, Namespace: namespace})
	check(err)
	option, err := endpoint.Options(url, endpoint.Settings{ConnectTimeout: patience, CommandTimeout: patience})
	check(err)
	client, err := rueidis.NewClient(option)
	check(err)
	found := &bench{store: store, client: client, random: rand.New(rand.NewPCG(7, 7))}
	for i := range fields {
		found.features = append(found.features, fmt.Sprintf("%s:f%d", view, i))
	}
	tag := fmt.Sprintf("{%s:%s}:", namespace, view)
	found.prefix = fmt.Sprintf("%s%d:", tag, found.epoch(tag+"p"))
	return found
}

// epoch gives the fourth number of a pointer.
func (b *bench) epoch(key string) (epoch int64) {
	pointer, err := b.client.Do(context.Background(), b.client.B().Get().Key(key).Build()).AsBytes()
	check(err)
	_, pointer, err = msgp.ReadArrayHeaderBytes(pointer)
	check(err)
	for range 4 {
		epoch, pointer, err = msgp.ReadInt64Bytes(pointer)
		check(err)
	}
	return epoch
}

func (b *bench) measure(batch, rounds int) result {
	var times [3][]time.Duration
	for round := range warmUp + rounds {
		ids := make([]int64, batch)
		keys := make([]string, batch)
		for i := range ids {
			ids[i] = b.first + b.random.Int64N(b.last-b.first+1)
			keys[i] = b.prefix + strconv.FormatInt(ids[i], 10)
		}
		for turn := range 3 {
			which := (round + turn) % 3 // who comes first finds colder caches
			begun := time.Now()
			b.ask(which, ids, keys)
			if taken := time.Since(begun); round >= warmUp {
				times[which] = append(times[which], taken)
			}
		}
	}
	return result{batch, rounds, percentilesOf(times[0]), percentilesOf(times[1]), percentilesOf(times[2])}
}

func (b *bench) ask(which int, ids []int64, keys []string) {
	if which == 2 {
		b.mget(keys)
		return
	}
	answer, err := b.store.Lookup(context.Background(), skewless.Entities(ids...), b.features...)
	check(err)
	if which == 1 {
		demand(len(answer.Rows()) == len(ids))
		return
	}
	for _, name := range answer.Names {
		values, err := skewless.Column[float32](answer, name)
		check(err)
		demand(len(values.Values) == len(ids))
	}
}

func (b *bench) mget(keys []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := b.client.Do(ctx, b.client.B().Mget().Key(keys...).Build()).ToArray()
	check(err)
	demand(len(found) == len(keys))
}

func percentilesOf(times []time.Duration) percentiles {
	slices.Sort(times)
	micros := func(percent int) float64 { return float64(times[len(times)*percent/100].Nanoseconds()) / 1000 }
	return percentiles{micros(50), micros(99)}
}

func number(text string) int {
	found, err := strconv.Atoi(text)
	check(err)
	return found
}

func demand(isWhole bool) {
	if !isWhole {
		log.Fatal("an answer has not a row for each entity")
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
