package skewless

import (
	"errors"
	"testing"
)

func TestWrongBytesAreNoValues(t *testing.T) {
	for _, wrong := range [][2]string{
		{"bool", "01"}, {"int32", "d30000000080000000"}, {"int64", "cfffffffffffffffff"}, {"int64", "ca3f800000"},
		{"float32", "cb3ff0000000000000"}, {"float64", "ca3f800000"}, {"float64", "01"}, {"string", "c40161"},
		{"string", "a1ff"}, {"bytes", "a161"}, {"timestamp", "a161"}, {"array<int64>", "01"}, {"array<bool>", "ddffffffff"},
		{"array<string>", "91a1ff"}, {"float32", "c1"},
	} {
		column := columns[wrong[0]](1)
		if _, err := column.set(0, unhex(t, wrong[1])); err == nil {
			t.Errorf("%s is read as the %s %v", wrong[1], wrong[0], column.value(0))
		}
	}
}

func TestWrongRecordsAreRefused(t *testing.T) {
	pointer := packed(t, []any{int64(1), int64(9), int64(5), int64(3), int64(0), "more"})
	if _, err := decodePointer(pointer); err != nil {
		t.Error(err)
	}
	if found, err := decodePointer(append(pointer, 0xc0)); err == nil {
		t.Errorf("a byte behind a pointer is read as %v", found)
	}
	for _, second := range []any{[]any{}, []any{int64(1)}, []any{int64(1), "a", "b"}, []any{"1", "a"}, []any{int64(1), int64(2)}, nil} {
		right := []any{nil, "a"}
		for _, rows := range [][]any{{right, second}, {second, right}} {
			if found, err := decodeMeta(packedMeta(t, rows...)); err == nil {
				t.Errorf("%v are read as constant rows: %v", rows, found)
			}
		}
	}
	meta := packedMeta(t, []any{int64(1), "a"}, []any{nil, nil}, "more")
	if _, err := decodeMeta(meta); err != nil {
		t.Error(err)
	}
	if found, err := decodeMeta(append(meta, 0xc0)); err == nil {
		t.Errorf("a byte behind a meta is read as %v", found)
	}
}

// packedMeta is of an int64 and a string; the constant rows follow, and what else a later version may have.
func packedMeta(t *testing.T, behind ...any) []byte {
	fields := []any{[]any{"number", "int64"}, []any{"word", "string"}}
	return packed(t, append([]any{int64(1), "fingerprint", []any{[]any{"id", "integer"}}, fields}, behind...))
}

func TestWrongServicesAreRefused(t *testing.T) {
	for _, features := range []any{
		"text", []any{int64(1)}, []any{"view"}, []any{"view:"}, []any{nil}, []any{[]any{}}, []any{[]any{"a:f", "v:f"}},
		[]any{[]any{"a:f", "v:f", "id"}}, []any{[]any{"a:f", "v:f", "id", nil}}, []any{[]any{"a:f", "v", "id", "payee"}},
		[]any{[]any{"a:f", "v:g", "id", "payee"}}, []any{[]any{"a:f", "v:f", "id", "payee", "id", "payer"}},
	} {
		var found service
		if err := found.decode(packed(t, features), "dev"); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%v: got %v, %v", features, found.features, err)
		}
	}
	var longer service
	if err := longer.decode(append(packed(t, []any{"view:mark"}), 0), "dev"); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a byte behind the list is read as %v, %v", longer.features, err)
	}
}
