package skewless

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

const many = 1200 // entities: three chunks

// TestNoLookupMixesGenerations reads while generations and epochs come and go.
func TestNoLookupMixesGenerations(t *testing.T) {
	stage := newStage(t, "drift")
	ids := make([]int, many)
	for i := range ids {
		ids[i] = i
	}
	publish := func(generation, epoch int64) {
		if epoch == generation {
			stage.meta(t, epoch, "id")
		}
		for start := 0; start < many; start += 100 {
			stage.rows(t, epoch, generation, generation, generation-1, ids[start:start+100]...)
		}
		stage.flip(t, generation, generation, epoch)
	}
	publish(1, 1)
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			lookups, last := 0, int64(0)
			for running := true; running; lookups++ {
				select {
				case <-done:
					running = false
				default:
				}
				seen, err := oneGeneration(store, ids)
				if err != nil || seen < last {
					t.Errorf("after generation %d: %d, %v", last, seen, err)
					return
				}
				last = seen
			}
			if lookups < 20 {
				t.Errorf("a reader made only %d lookups", lookups)
			}
		})
	}
	generation, epoch := int64(1), int64(1)
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		if generation++; generation%10 == 0 {
			epoch = generation
		}
		publish(generation, epoch)
	}
	close(done)
	readers.Wait()
	if generation < 20 {
		t.Errorf("only %d generations were published", generation)
	}
}

// oneGeneration gives the generation of a lookup, all of whose rows must be of it.
func oneGeneration(store *Store, ids []int) (int64, error) {
	answer, err := store.Lookup(context.Background(), Entities(ids...), "drift:mark")
	if err != nil {
		return 0, err
	}
	marks, err := Column[int64](answer, "drift__mark")
	if err != nil {
		return 0, err
	}
	generation := answer.Views["drift"].Generation
	for id, mark := range marks.Values {
		if mark != generation || marks.IsNull(id) {
			return 0, fmt.Errorf("entity %d is of generation %d, but the answer is of %d", id, mark, generation)
		}
	}
	return generation, nil
}
