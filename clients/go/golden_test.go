package skewless

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func TestEntityKeysAreAsWritten(t *testing.T) {
	var file struct {
		EntityKeys []struct {
			Kinds  []string
			Values []any
			Key    *string
		} `json:"entity_keys"`
		ViewKeys []struct {
			Namespace, View, Pointer, Alive, Meta, Entity string
			Epoch                                         int64
			EntityKey                                     string `json:"entity_key"`
		} `json:"view_keys"`
	}
	readJSON(t, filepath.Join(golden, "keys.json"), &file)
	for _, vector := range file.EntityKeys {
		entity, joinKeys := Entity{}, []joinKey{}
		for i, value := range vector.Values {
			name := string(rune('a' + i))
			entity[name] = value
			joinKeys = append(joinKeys, joinKey{name, vector.Kinds[i]})
		}
		looked := lookup{
			namespace: "ns", view: "v", sources: []*source{{name: "v", view: "v"}}, entities: []any{asEntity(entity)},
			pin: &pin{pointer{epoch: 3}, &meta{keys: joinKeys}},
		}
		keys, err := looked.entityKeys()
		expected := ""
		if vector.Key != nil {
			expected = "{ns:v}:3:" + *vector.Key
		}
		if err != nil || keys[0] != expected {
			t.Errorf("%v: expected %q, got %q, %v", vector.Values, expected, keys, err)
		}
	}
	for _, vector := range file.ViewKeys {
		looked := lookup{namespace: vector.Namespace, view: vector.View, asking: true, wanted: vector.Epoch}
		if found, expected := looked.commands()[0], []string{vector.Pointer, vector.Alive, vector.Meta}; !reflect.DeepEqual(found, expected) {
			t.Errorf("expected %q, got %q", expected, found)
		}
	}
}

func TestKeysOfAnyWidthAndOfTheCallersTypes(t *testing.T) {
	type userID int64
	type airport string
	integer, text := joinKey{"id", "integer"}, joinKey{"id", "string"}
	for _, value := range []any{int(7), int8(7), int16(7), int32(7), int64(7), uint(7), uint8(7), uint16(7), uint32(7), uint64(7), userID(7)} {
		if key, err := integer.appendTo(nil, value); string(key) != "7" || err != nil {
			t.Errorf("%T: got %q, %v", value, key, err)
		}
		if key, err := text.appendTo(nil, value); err == nil {
			t.Errorf("%T is no string, but got %q", value, key)
		}
	}
	if key, err := text.appendTo(nil, airport("a|b")); string(key) != "a%7Cb" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
	for _, value := range []any{"\xff", airport("\xff"), []byte("a"), 1.0, true} {
		if key, err := text.appendTo(nil, value); err == nil {
			t.Errorf("%v is no text, but got %q", value, key)
		}
	}
}

type valueVector struct {
	Dtype, Hex, Bits string
	Value            any
	Repeat           []any
}

// raw gives the bytes of a vector, and the value as tagged has it.
func (v *valueVector) raw(t *testing.T) ([]byte, any) {
	raw := unhex(t, v.Hex)
	if v.Repeat != nil {
		times, err := v.Repeat[1].(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(v.Repeat[0].(string), int(times))
		if v.Dtype == "bytes" {
			return append(raw, unhex(t, text)...), map[string]any{"bytes": text}
		}
		return append(raw, text...), text
	}
	element := strings.TrimSuffix(strings.TrimPrefix(v.Dtype, "array<"), ">")
	if list, is := v.Value.([]any); is {
		items := make([]any, len(list))
		for i, item := range list {
			items[i] = v.tag(t, element, item)
		}
		return raw, items
	}
	if v.Bits != "" && strings.HasPrefix(v.Hex, "c") { // NaN is canonical in the store
		return raw, map[string]any{element: v.Hex[2:]}
	}
	return raw, v.tag(t, element, v.Value)
}

func (v *valueVector) tag(t *testing.T, element string, value any) any {
	number, is := value.(json.Number)
	switch {
	case is && element == "timestamp":
		return map[string]any{"timestamp": number}
	case is && element == "float32":
		real, err := number.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return tagged(float32(real))
	case value != nil && element == "bytes":
		return map[string]any{"bytes": value}
	}
	return value
}

func TestValuesAreReadAsWritten(t *testing.T) {
	var file struct{ Values []valueVector }
	readJSON(t, filepath.Join(golden, "values.json"), &file)
	seen := map[string]bool{}
	for _, vector := range file.Values {
		raw, expected := vector.raw(t)
		column := columns[vector.Dtype](1)
		rest, err := column.set(0, append(raw, 0xff))
		if found := tagged(column.value(0)); err != nil || len(rest) != 1 || !reflect.DeepEqual(found, expected) {
			t.Errorf("%s %.30s: expected %v, got %v, %v; %d bytes are left", vector.Dtype, vector.Hex, expected, found, err, len(rest)-1)
		}
		for short := range raw[:min(len(raw), 300)] {
			if _, err := columns[vector.Dtype](1).set(0, raw[:short]); err == nil {
				t.Errorf("%s %.30s: its first %d bytes are read as a value", vector.Dtype, vector.Hex, short)
			}
		}
		seen[vector.Dtype] = true
	}
	if len(seen) < 14 {
		t.Errorf("only the dtypes %v have vectors", seen)
	}
}

func TestARowHasAValueForEachField(t *testing.T) {
	meta := &meta{fields: []field{{"a", "int64"}, {"b", "string"}}}
	for row, isRow := range map[string]bool{"9201a162": true, "9101": false, "9201": false, "9301a162c0": false, "c0": false, "": false, "8101a162": false} {
		found, err := newTable(&source{name: "v", view: "v", fields: []string{"a"}}, meta, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := found.set(0, unhex(t, row)); (err == nil) != isRow {
			t.Errorf("%s: %v", row, err)
		}
	}
}

func TestRecordsAreReadAsWritten(t *testing.T) {
	var file struct {
		Pointers []struct {
			Flip, Generation, Epoch int64
			SnapshotTime            int64 `json:"snapshot_time"`
			Hex                     string
		}
		Slots []struct{ Hex string }
		Reads []struct {
			Meaning    string
			Slots      int
			Generation int64
			Row        []any
		}
		Metas []struct {
			Keys, Fields [][2]string
			Hex          string
		}
	}
	readJSON(t, filepath.Join(golden, "values.json"), &file)
	spaced := func(text string) []byte { return unhex(t, strings.ReplaceAll(text, " ", "")) }
	for _, vector := range file.Pointers {
		expected := pointer{vector.Flip, vector.Generation, vector.Epoch, vector.SnapshotTime}
		if found, err := decodePointer(spaced(vector.Hex)); err != nil || found != expected {
			t.Errorf("expected %v, got %v, %v", expected, found, err)
		}
	}
	for _, read := range file.Reads {
		slots := spaced(file.Slots[read.Slots].Hex)
		columns := []column{columns["int64"](1), columns["string"](1)}
		read64 := &table{fields: make([]field, 2), cells: []cell{{position: 0, column: columns[0]}, {position: 1, column: columns[1]}}}
		var found []any
		isThere, err := read64.setAsOf(0, slots, read.Generation)
		if isThere {
			found = []any{tagged(columns[0].value(0)), columns[1].value(0)}
		}
		if err != nil || !reflect.DeepEqual(found, read.Row) {
			t.Errorf("%s: expected %v, got %v, %v", read.Meaning, read.Row, found, err)
		}
		for _, torn := range [][]byte{append(slices.Clone(slots), 0xc0), slots[:len(slots)-1]} {
			if _, err := read64.setAsOf(0, torn, read.Generation); err == nil {
				t.Errorf("%s: %x is read as slots", read.Meaning, torn)
			}
		}
	}
	for _, vector := range file.Metas {
		found, err := decodeMeta(spaced(vector.Hex))
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range vector.Keys {
			if found.keys[i] != (joinKey{key[0], key[1]}) {
				t.Errorf("expected %v, got %v", vector.Keys, found.keys)
			}
		}
		for i, one := range vector.Fields {
			if found.fields[i] != (field{one[0], one[1]}) {
				t.Errorf("expected %v, got %v", vector.Fields, found.fields)
			}
		}
	}
}

func TestServicesAreReadAsWritten(t *testing.T) {
	var file struct {
		Services []struct {
			Features []any
			Hex      string
		}
	}
	readJSON(t, filepath.Join(golden, "values.json"), &file)
	for _, vector := range file.Services {
		raw := unhex(t, strings.ReplaceAll(vector.Hex, " ", ""))
		var found service
		if err := found.decode(raw, "dev"); err != nil || len(found.features) != len(vector.Features) {
			t.Fatalf("expected %v, got %v, %v", vector.Features, found.features, err)
		}
		for i, one := range found.features {
			if !bytes.Equal(one.packed(), packed(t, vector.Features[i])) {
				t.Errorf("expected %v, got %v", vector.Features[i], one)
			}
		}
	}
}

// packed writes a reference as a service has it.
func (r *reference) packed() []byte {
	if r.keys == nil {
		return msgp.AppendString(nil, r.name+":"+r.field)
	}
	raw := msgp.AppendArrayHeader(nil, uint32(2+2*len(r.keys)))
	raw = msgp.AppendString(msgp.AppendString(raw, r.name+":"+r.field), r.view+":"+r.field)
	for name, key := range r.keys { // the vectors have one pair
		raw = msgp.AppendString(msgp.AppendString(raw, name), key)
	}
	return raw
}

func packed(t testing.TB, value any) []byte {
	t.Helper()
	raw, err := msgp.AppendIntf(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
