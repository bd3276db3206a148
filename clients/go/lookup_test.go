package skewless

import (
	"errors"
	"reflect"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// TestChunksAreOfOneInstant gives a lookup the replies of two chunks: only where they agree is it settled.
func TestChunksAreOfOneInstant(t *testing.T) {
	at := func(flip, generation int64) []byte {
		return packed(t, []any{int64(1), flip, generation, int64(1), int64(0)})
	}
	alive := func(flip int64) []byte { return msgp.AppendInt64(nil, flip) }
	row := packed(t, []any{int64(3), []any{int64(7)}, int64(2), []any{int64(6)}})
	for _, second := range []struct {
		pointer, alive []byte
		settles        bool
	}{
		{at(5, 3), alive(5), true},
		{at(6, 4), alive(6), false},
		{at(6, 3), alive(6), false},
		{at(5, 3), nil, false},
		{at(5, 3), alive(4), false},
	} {
		looked := lookup{
			namespace: "ns", view: "v", sources: []*source{{name: "v", view: "v", fields: []string{"mark"}}},
			entities: Entities(make([]int, chunk+1)...),
			pin: &pin{
				pointer{flip: 5, generation: 3, epoch: 1},
				&meta{keys: []joinKey{{"id", "integer"}}, fields: []field{{"mark", "int64"}}},
			},
		}
		commands := looked.commands()
		if sizes := []int{len(commands[0]), len(commands[1])}; !reflect.DeepEqual(sizes, []int{2 + chunk, 2 + 1}) {
			t.Fatalf("the commands have %v keys", sizes)
		}
		first := [][]byte{at(5, 3), alive(5)}
		for range chunk {
			first = append(first, row)
		}
		err := looked.accept([][][]byte{first, {second.pointer, second.alive, row}})
		if err != nil || looked.settled != second.settles {
			t.Errorf("%x %x: settled is %v, %v", second.pointer, second.alive, looked.settled, err)
		}
	}
}

func TestAnAliveThatIsNoNumberIsUnreadable(t *testing.T) {
	looked := lookup{pointer: pointer{flip: 5}}
	right := msgp.AppendInt64(nil, 5)
	if live, err := looked.vouched(right); !live || err != nil {
		t.Errorf("got %v, %v", live, err)
	}
	for _, wrong := range [][]byte{msgp.AppendString(nil, "5"), append(right, 0xc0), right[:8], {}} {
		if live, err := looked.vouched(wrong); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%x: got %v, %v", wrong, live, err)
		}
	}
}

// TestBesideAnotherPointerTheMetaIsAskedForAgain has an epoch that is counted anew, with another meta.
func TestBesideAnotherPointerTheMetaIsAskedForAgain(t *testing.T) {
	looked := lookup{
		namespace: "ns", view: "v", sources: []*source{{name: "v", view: "v", fields: []string{"mark"}}}, entities: Entities(7),
		pin: &pin{
			pointer{flip: 5, generation: 1, epoch: 1},
			&meta{keys: []joinKey{{"id", "integer"}}, fields: []field{{"mark", "int64"}}},
		},
	}
	moved := packed(t, []any{int64(1), int64(6), int64(1), int64(1), int64(0)})
	other := packed(t, []any{
		int64(1), "f", []any{[]any{"id", "integer"}}, []any{[]any{"debt", "int64"}, []any{"mark", "int64"}}, []any{nil, nil}, []any{nil, nil},
	})
	row := packed(t, []any{int64(1), []any{int64(-5), int64(70)}, int64(0), nil})
	for _, step := range []struct {
		asks  string
		third []byte
	}{{"1:7", row}, {"m:1", other}, {"1:7", row}} {
		if asks := looked.commands()[0][2]; asks != "{ns:v}:"+step.asks {
			t.Fatalf("expected %q, got %q", step.asks, asks)
		}
		if err := looked.accept([][][]byte{{moved, msgp.AppendInt64(nil, 6), step.third}}); err != nil {
			t.Fatal(err)
		}
	}
	if value := looked.tables[0].columns[0].value(0); value != int64(70) {
		t.Errorf("got %v", value)
	}
}

// TestAPointerMayMoveWhileItsMetaIsAsked follows it to the next epoch.
func TestAPointerMayMoveWhileItsMetaIsAsked(t *testing.T) {
	pointer := func(epoch int64) []byte { return packed(t, []any{int64(1), int64(5), int64(3), epoch, int64(0)}) }
	looked := lookup{namespace: "ns", view: "v", sources: []*source{{name: "v", view: "v", fields: []string{"mark"}}}}
	for _, step := range []struct {
		asks  []string
		reply [][]byte
	}{
		{[]string{"{ns:v}:p", "{ns:v}:a"}, [][]byte{pointer(1), nil}},
		{[]string{"{ns:v}:p", "{ns:v}:a", "{ns:v}:m:1"}, [][]byte{pointer(2), nil, nil}},
		{[]string{"{ns:v}:p", "{ns:v}:a", "{ns:v}:m:2"}, [][]byte{pointer(2), nil, nil}},
	} {
		if asks := looked.commands(); !reflect.DeepEqual(asks, [][]string{step.asks}) {
			t.Errorf("expected %q, got %q", step.asks, asks)
		}
		if err := looked.accept([][][]byte{step.reply}); (err != nil) != (step.asks[len(step.asks)-1] == "{ns:v}:m:2") {
			t.Errorf("%q: %v", step.asks, err)
		}
	}
}
