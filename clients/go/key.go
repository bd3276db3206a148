package skewless

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Entity is an entity's join keys by name; it may have more than a view asks for. An entity whose views all have one
// and the same join key may also be the bare value of that key.
type Entity = map[string]any

// Entities gives values as entities: Entities(7, 8, 9), Entities(names...).
func Entities[T any](values ...T) []any {
	entities := make([]any, len(values))
	for i, value := range values {
		entities[i] = value
	}
	return entities
}

// joinKey is one of a view's; its kind is string or integer.
type joinKey struct{ name, kind string }

// entityKeys gives the key in the store of each entity, for each source in turn; empty where a join key is null.
func (l *lookup) entityKeys() ([]string, error) {
	prefix := l.tag() + strconv.FormatInt(l.pin.pointer.epoch, 10) + ":"
	count := len(l.sources) * len(l.entities)
	text := make([]byte, 0, count*(len(prefix)+16)) // all keys, one after the other
	ends := make([]int, 0, count)
	for _, source := range l.sources {
		if !source.fits(l.pin.meta.keys) {
			return nil, failed(ErrUnreadable, "a service looks %q up by %q, and view %q has the join keys %q; publish its views again",
				source.name, slices.Sorted(maps.Keys(source.keys)), l.view, l.pin.meta.keyNames())
		}
		for _, entity := range l.entities {
			begun := len(text)
			isKey, err := false, error(nil)
			if text, isKey, err = l.appendKey(append(text, prefix...), source, entity); err != nil {
				return nil, err
			}
			if !isKey {
				text = text[:begun]
			}
			ends = append(ends, len(text))
		}
	}
	return cut(string(text), ends), nil
}

func cut(text string, ends []int) []string {
	parts, begun := make([]string, len(ends)), 0
	for i, end := range ends {
		parts[i], begun = text[begun:end], end
	}
	return parts
}

// appendKey appends an entity's key. It is none where a join key is null.
func (l *lookup) appendKey(key []byte, source *source, entity any) (found []byte, isKey bool, err error) {
	joinKeys := l.pin.meta.keys
	named, isNamed := entity.(Entity)
	if !isNamed && (len(joinKeys) != 1 || source.keys != nil) {
		return nil, false, failed(ErrUsage, "%q is looked up by %s; give each entity as skewless.Entity, with all of them",
			source.name, source.described(joinKeys))
	}
	isKey = true
	for i, joinKey := range joinKeys {
		value := entity
		if isNamed {
			var found bool
			if value, found = named[source.entityKey(joinKey.name)]; !found {
				return nil, false, failed(ErrUsage, "%q is looked up by %s; an entity has only %q",
					source.name, source.described(joinKeys), slices.Sorted(maps.Keys(named)))
			}
		}
		if value == nil {
			isKey = false
			continue // the others are looked at all the same
		}
		if i > 0 {
			key = append(key, '|')
		}
		if key, err = joinKey.appendTo(key, value); err != nil {
			return nil, false, failed(ErrUsage, "%q: %v", source.name, err)
		}
	}
	return key, isKey, nil
}

// fits tells whether an alias says a key of the entities for each join key, and for nothing else. A view fits always.
func (s *source) fits(joinKeys []joinKey) bool {
	for _, joinKey := range joinKeys {
		if _, said := s.keys[joinKey.name]; s.keys != nil && !said {
			return false
		}
	}
	return s.keys == nil || len(s.keys) == len(joinKeys)
}

// described gives the names under which entities have a view's join keys.
func (s *source) described(joinKeys []joinKey) string {
	names := make([]string, len(joinKeys))
	for i, joinKey := range joinKeys {
		names[i] = s.entityKey(joinKey.name)
	}
	return strings.Join(names, ", ")
}

// appendTo appends a value as it stands in an entity key. One that is not of the kind is an error: nobody guesses that
// "7" means 7.
func (k joinKey) appendTo(key []byte, value any) ([]byte, error) {
	switch of := value.(type) {
	case string:
		return k.appendText(key, of)
	case int64:
		if k.kind == "integer" {
			return strconv.AppendInt(key, of, 10), nil
		}
	}
	switch of := reflect.ValueOf(value); {
	case of.Kind() == reflect.String:
		return k.appendText(key, of.String())
	case of.CanInt() && k.kind == "integer":
		return strconv.AppendInt(key, of.Int(), 10), nil
	case of.CanUint() && k.kind == "integer":
		return strconv.AppendUint(key, of.Uint(), 10), nil
	}
	return nil, k.wrong(value)
}

func (k joinKey) appendText(key []byte, text string) ([]byte, error) {
	if k.kind != "string" {
		return nil, k.wrong(text)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("join key %s is %q, which is not UTF-8; pass it as the source has it", k.name, text)
	}
	return appendEscaped(key, text), nil
}

func (k joinKey) wrong(value any) error {
	return fmt.Errorf("join key %s is of kind %s, which %#v (%T) is not; pass it as the source has it", k.name, k.kind, value, value)
}

const upperHex = "0123456789ABCDEF"

// appendEscaped percent-encodes what would end a key's part, or a line.
func appendEscaped(key []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20, c == 0x7f, c == '%', c == '|':
			key = append(key, '%', upperHex[c>>4], upperHex[c&15])
		default:
			key = append(key, c)
		}
	}
	return key
}
