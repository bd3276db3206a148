package skewless

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
)

var nextStage atomic.Int64

func TestAnswersAreTypedWithoutBoxing(t *testing.T) {
	store := open(t, Options{URL: liveURL(t), Namespace: load(t)})
	answer, err := store.Lookup(context.Background(), Entities(1, 2), "all:ratio", "all:ratios", "all:small")
	if err != nil {
		t.Fatal(err)
	}
	ratio, err := Column[float32](answer, "all__ratio")
	if expected := (Vector[float32]{[]float32{0.1, 0}, []bool{false, true}}); err != nil || !reflect.DeepEqual(ratio, expected) {
		t.Errorf("expected %v, got %v, %v", expected, ratio, err)
	}
	if ratio.IsNull(0) || !ratio.IsNull(1) {
		t.Error("the second value alone is null")
	}
	ratios, err := Column[Vector[float32]](answer, "all__ratios")
	if err != nil || !reflect.DeepEqual(any(ratios.Values[0]), answer.Row(0)[1]) {
		t.Errorf("expected %v, got %v, %v", answer.Row(0)[1], ratios, err)
	}
	for name, mentions := range map[string]string{"all__ratio": "float32", "all__ration": "all__ratio, all__ratios, all__small"} {
		if _, err := Column[float64](answer, name); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), mentions) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestABareValueIsOfOneJoinKey(t *testing.T) {
	users, merchants := published(t, "users"), published(t, "merchants")
	merchants.namespace = users.namespace
	merchants.meta(t, 1, "merchant")
	merchants.rows(t, 1, 1, 8, 0, 7)
	merchants.flip(t, 1, 1, 1)
	store := open(t, Options{URL: liveURL(t), Namespace: users.namespace})
	features := []string{"users:mark", "merchants:mark"}
	_, err := store.GetOnlineFeatures(context.Background(), 7, features...)
	if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "id and by merchant") {
		t.Errorf("got %v", err)
	}
	values, err := store.GetOnlineFeatures(context.Background(), Entity{"id": 7, "merchant": 7}, features...)
	if expected := []any{int64(7), int64(8)}; err != nil || !reflect.DeepEqual(values, expected) {
		t.Errorf("expected %v, got %v, %v", expected, values, err)
	}
}

func TestAViewMayGetOtherJoinKeys(t *testing.T) {
	stage := published(t, "view")
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	ask := func(key string) ([]any, error) {
		return store.GetOnlineFeatures(context.Background(), Entity{key: 7}, "view:mark")
	}
	if values, err := ask("id"); err != nil || values[0] != int64(7) {
		t.Fatalf("got %v, %v", values, err)
	}
	stage.meta(t, 2, "number")
	stage.rows(t, 2, 2, 9, 0, 7)
	stage.flip(t, 2, 2, 2)
	if values, err := ask("number"); err != nil || values[0] != int64(9) {
		t.Errorf("got %v, %v", values, err)
	}
	if _, err := ask("id"); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "number") {
		t.Errorf("got %v", err)
	}
}

func TestAMetaIsRememberedEvenWhereTheLookupFails(t *testing.T) {
	stage := published(t, "view")
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	if _, err := store.GetOnlineFeatures(context.Background(), 7, "view:make"); !errors.Is(err, ErrUsage) {
		t.Errorf("got %v", err)
	}
	stage.client.Do(context.Background(), stage.client.B().Del().Key(stage.key("m:1")).Build())
	if values, err := store.GetOnlineFeatures(context.Background(), 7, "view:mark"); err != nil || values[0] != int64(7) {
		t.Errorf("got %v, %v", values, err)
	}
}

func TestTheNewerPinStays(t *testing.T) {
	store, first, second, third := &Store{}, &pin{pointer: pointer{flip: 1}}, &pin{pointer: pointer{flip: 2}}, &pin{pointer: pointer{flip: 3}}
	for _, step := range []struct{ before, found, kept *pin }{
		{nil, first, first}, {nil, second, first}, {first, third, third}, {first, second, third},
	} {
		store.remember("view", step.before, step.found)
		if kept, _ := store.pins.Load("view"); kept != any(step.kept) {
			t.Errorf("of flip %d the pin was put, and %v stayed", step.found.pointer.flip, kept)
		}
	}
}

func TestAnAnswerIsInTheOrderOfTheFeatures(t *testing.T) {
	store := open(t, Options{URL: liveURL(t), Namespace: load(t)})
	answer, err := store.Lookup(context.Background(), Entities(1), "all:word", "plain:score", "all:small", "all:word")
	if err != nil {
		t.Fatal(err)
	}
	if expected := []string{"all__word", "plain__score", "all__small"}; !reflect.DeepEqual(answer.Names, expected) {
		t.Errorf("expected %q, got %q", expected, answer.Names)
	}
	if expected := []any{"café", float32(0.5), int32(7)}; !reflect.DeepEqual(answer.Row(0), expected) {
		t.Errorf("expected %v, got %v", expected, answer.Row(0))
	}
}

func TestANameHasOneMeaning(t *testing.T) {
	stage := published(t, "view")
	alias := []any{[]any{"view:mark", "other:mark", "id", "payee"}}
	set(t, stage.client, stage.namespace+":service:aliased", packed(t, alias))
	for name, keys := range map[string][]any{"lacking": {"name", "payee"}, "surplus": {"id", "payee", "name", "payee"}} {
		alias := append([]any{"payee:mark", "view:mark"}, keys...)
		set(t, stage.client, stage.namespace+":service:"+name, packed(t, []any{alias}))
	}
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	ask := func(features ...string) error {
		_, err := store.GetOnlineFeatures(context.Background(), Entity{"id": 1, "payee": 1}, features...)
		return err
	}
	if err := ask("view:mark", "aliased"); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "two meanings") {
		t.Errorf("got %v", err)
	}
	for _, service := range []string{"lacking", "surplus"} {
		if err := ask(service); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), "payee") {
			t.Errorf("%s: got %v", service, err)
		}
	}
}

func TestAServiceThatChangesIsNeverStale(t *testing.T) {
	stage := published(t, "view")
	other := published(t, "other")
	other.namespace = stage.namespace
	other.meta(t, 1, "id")
	other.rows(t, 1, 1, 8, 0, 7)
	other.flip(t, 1, 1, 1)
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	key := stage.namespace + ":service:scores"
	for _, feature := range []string{"view:mark", "other:mark", "view:mark"} {
		set(t, stage.client, key, packed(t, []any{feature}))
		for range 2 {
			values, err := store.GetOnlineFeatures(context.Background(), 7, "scores")
			if expected := map[string]any{"view:mark": int64(7), "other:mark": int64(8)}[feature]; err != nil || values[0] != expected {
				t.Errorf("%s: got %v, %v", feature, values, err)
			}
		}
	}
	stage.client.Do(context.Background(), stage.client.B().Del().Key(key).Build())
	if _, err := store.GetOnlineFeatures(context.Background(), 7, "scores"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, options := range []Options{
		{Namespace: "dev"},
		{URL: "redis://localhost:6379"},
		{URL: "redis://localhost:6379", Namespace: "a b"},
		{URL: "redis://localhost:6379", Namespace: "dev", CommandTimeout: -1},
		{URL: "redis://localhost:6379", Namespace: "dev", CAFile: "ca.pem"},
		{URL: "rediss://localhost:6379", Namespace: "dev", CAFile: "store_test.go"},
		{URL: "rediss://localhost:6379", Namespace: "dev", CAFile: "nowhere.pem"},
	} {
		if _, err := Open(options); !errors.Is(err, ErrUsage) {
			t.Errorf("%v: got %v", options, err)
		}
	}
}
