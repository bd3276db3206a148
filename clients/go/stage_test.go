package skewless

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/redis/rueidis"
	"github.com/tinylib/msgp/msgp"
)

// stage writes views as publishers do: rows of one int64 field, mark, by the integer join key id.
type stage struct {
	client    rueidis.Client
	namespace string
	view      string
}

func newStage(t testing.TB, view string) *stage {
	t.Helper()
	return &stage{client(t, liveURL(t)), "go-" + strconv.FormatInt(int64(nextStage.Add(1)), 10), view}
}

func (s *stage) key(rest string) string { return "{" + s.namespace + ":" + s.view + "}:" + rest }

// meta makes an epoch readable; absent is -1, expired -2.
func (s *stage) meta(t testing.TB, epoch int64, joinKey string) {
	t.Helper()
	keys, fields := []any{[]any{joinKey, "integer"}}, []any{[]any{"mark", "int64"}}
	meta := []any{int64(1), "fingerprint", keys, fields, []any{int64(-1)}, []any{int64(-2)}}
	set(t, s.client, s.key(fmt.Sprintf("m:%d", epoch)), packed(t, meta))
}

// rows writes an entity's mark in a generation, and in the one before.
func (s *stage) rows(t testing.TB, epoch, generation, mark, earlier int64, ids ...int) {
	t.Helper()
	command := s.client.B().Arbitrary("MSET")
	value := string(packed(t, []any{generation, []any{mark}, generation - 1, []any{earlier}}))
	for _, id := range ids {
		command = command.Keys(s.key(fmt.Sprintf("%d:%d", epoch, id))).Args(value)
	}
	if err := s.client.Do(context.Background(), command.Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

// flip makes a generation live, at one instant.
func (s *stage) flip(t testing.TB, flip, generation, epoch int64) {
	t.Helper()
	pointer := packed(t, []any{int64(1), flip, generation, epoch, int64(1_700_000_000_000_000)})
	alive := msgp.AppendInt64(nil, flip)
	command := s.client.B().Mset().KeyValue().KeyValue(s.key("p"), string(pointer)).KeyValue(s.key("a"), string(alive))
	if err := s.client.Do(context.Background(), command.Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

// published is a stage with ten entities of mark 7, live.
func published(t testing.TB, view string) *stage {
	t.Helper()
	stage := newStage(t, view)
	stage.meta(t, 1, "id")
	stage.rows(t, 1, 1, 7, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	stage.flip(t, 1, 1, 1)
	return stage
}
