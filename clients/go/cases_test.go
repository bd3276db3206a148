package skewless

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

type oneCase struct {
	Name     string
	Features []string
	Entities []map[string]any
	Rows     []map[string]any
	Times    int
	Views    map[string]struct {
		Generation   int64
		SnapshotTime int64 `json:"snapshot_time"`
		State        State
	}
	Error    string
	Mentions []string
}

var kinds = map[string]error{"usage": ErrUsage, "not_published": ErrNotPublished, "unreadable": ErrUnreadable}

func TestCases(t *testing.T) {
	store := open(t, Options{URL: liveURL(t), Namespace: load(t)})
	var file struct{ Cases []oneCase }
	readJSON(t, cmp.Or(os.Getenv("SKEWLESS_TEST_CASES"), filepath.Join(golden, "cases.json")), &file)
	if len(file.Cases) == 0 {
		t.Fatal("the file has no cases")
	}
	for _, one := range file.Cases {
		t.Run(one.Name, func(t *testing.T) { one.check(t, store) })
	}
}

func (c *oneCase) check(t *testing.T, store *Store) {
	var entities []any
	for range max(c.Times, 1) {
		for _, entity := range c.Entities {
			entities = append(entities, asEntity(entity))
		}
	}
	answer, err := store.Lookup(context.Background(), entities, c.Features...)
	if c.Error != "" {
		c.checkError(t, err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c.checkRows(t, answer)
	c.checkViews(t, answer)
	if len(entities) > 0 {
		c.checkOne(t, store, entities[0], answer)
	}
}

func (c *oneCase) checkError(t *testing.T, err error) {
	if !errors.Is(err, kinds[c.Error]) || kinds[c.Error] == nil {
		t.Fatalf("expected an error of the kind %s, got %v", c.Error, err)
	}
	for _, text := range c.Mentions {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message does not mention %q: %v", text, err)
		}
	}
}

func (c *oneCase) checkRows(t *testing.T, answer *Answer) {
	rows := answer.Rows()
	if len(rows) != len(c.Rows)*max(c.Times, 1) || answer.Len() != len(rows) {
		t.Fatalf("expected %d rows, got %d, %d", len(c.Rows)*max(c.Times, 1), len(rows), answer.Len())
	}
	for i, row := range rows {
		for name, expected := range c.Rows[i%len(c.Rows)] {
			value, is := row[name]
			if found := tagged(value); !is || !reflect.DeepEqual(found, expected) {
				t.Errorf("row %d, %s: expected %v, got %v", i, name, expected, found)
			}
		}
	}
}

func (c *oneCase) checkViews(t *testing.T, answer *Answer) {
	for name, expected := range c.Views {
		found := answer.Views[name]
		taken := time.UnixMicro(expected.SnapshotTime).UTC()
		if found.SnapshotTime != taken || found.Generation != expected.Generation || found.State != expected.State {
			t.Errorf("view %s: expected %v, got %v", name, expected, found)
		}
		if age := time.Since(taken) - found.Age; age < 0 || age > time.Minute {
			t.Errorf("view %s: its age is %v", name, found.Age)
		}
	}
}

// checkOne asks for one entity, by its bare value too where its key is its only one.
func (c *oneCase) checkOne(t *testing.T, store *Store, entity any, answer *Answer) {
	asked := []any{entity}
	if named := entity.(Entity); len(named) == 1 {
		for _, value := range named {
			asked = append(asked, value)
		}
	}
	for _, entity := range asked {
		values, err := store.GetOnlineFeatures(context.Background(), entity, c.Features...)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range answer.Names {
			if found := tagged(values[i]); !reflect.DeepEqual(found, c.Rows[0][name]) {
				t.Errorf("%v, %s: expected %v, got %v", entity, name, c.Rows[0][name], found)
			}
		}
	}
}

// asEntity gives a file's entity as an application has it.
func asEntity(named map[string]any) Entity {
	entity := Entity{}
	for name, value := range named {
		entity[name] = value
		if number, is := value.(json.Number); is {
			if whole, err := number.Int64(); err == nil {
				entity[name] = whole
			} else if entity[name], err = number.Float64(); err != nil {
				panic(err)
			}
		}
	}
	return entity
}

// tagged gives a value as the file of cases writes it.
func tagged(value any) any {
	switch of := value.(type) {
	case int32, int64:
		return json.Number(fmt.Sprint(of))
	case float32:
		return map[string]any{"float32": fmt.Sprintf("%08x", math.Float32bits(of))}
	case float64:
		return map[string]any{"float64": fmt.Sprintf("%016x", math.Float64bits(of))}
	case time.Time:
		return map[string]any{"timestamp": json.Number(fmt.Sprint(of.UnixMicro()))}
	case []byte:
		return map[string]any{"bytes": hex.EncodeToString(of)}
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Struct {
		return value
	}
	items := make([]any, list.FieldByName("Values").Len())
	for i := range items {
		if nulls := list.FieldByName("Null"); nulls.IsNil() || !nulls.Index(i).Bool() {
			items[i] = tagged(list.FieldByName("Values").Index(i).Interface())
		}
	}
	return items
}
