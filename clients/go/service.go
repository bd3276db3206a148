package skewless

import (
	"fmt"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// reference names a field of a view, or of an alias of one.
type reference struct {
	name, view, field string
	keys              map[string]string // see source
}

func parseReference(text string) (reference, error) {
	view, field, _ := strings.Cut(text, ":")
	if !isName(view) || field == "" {
		return reference{}, fmt.Errorf("%q names no feature", text)
	}
	return reference{name: view, view: view, field: field}, nil
}

func isName(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '_'):
		default:
			return false
		}
	}
	return text != ""
}

// parseAlias reads "alias:field", "view:field", and by pairs a join key and the key of the entities.
func parseAlias(parts []string) (reference, error) {
	if len(parts) < 4 || len(parts)%2 != 0 {
		return reference{}, fmt.Errorf("an aliased feature has %d parts", len(parts))
	}
	alias, err := parseReference(parts[0])
	if err != nil {
		return alias, err
	}
	target, err := parseReference(parts[1])
	if err != nil {
		return target, err
	}
	keys := map[string]string{}
	for i := 2; i < len(parts); i += 2 {
		keys[parts[i]] = parts[i+1]
	}
	switch {
	case alias.field != target.field:
		err = fmt.Errorf("%q is to be %q, another field", parts[0], parts[1])
	case len(keys) != len(parts)/2-1:
		err = fmt.Errorf("%q has a join key twice", parts[0])
	}
	return reference{alias.name, target.view, target.field, keys}, err
}

// service is a list of features, as the store has it.
type service struct {
	name     string
	raw      []byte
	features []reference
}

// decode reads the list: of strings, and for an aliased view of arrays of strings.
func (s *service) decode(raw []byte, namespace string) error {
	if raw == nil {
		return failed(ErrNotPublished, "there is no service %q in namespace %q; publish its views first, or check the namespace",
			s.name, namespace)
	}
	size, rest, err := msgp.ReadArrayHeaderBytes(raw)
	for i := uint32(0); i < size && err == nil; i++ {
		var one reference
		one, rest, err = decodeReference(rest)
		s.features = append(s.features, one)
	}
	if err == nil {
		err = demandEnd(rest)
	}
	if err != nil {
		return unreadable(err, "the list of features of service %q", s.name)
	}
	s.raw = raw
	return nil
}

func decodeReference(raw []byte) (found reference, rest []byte, err error) {
	if msgp.NextType(raw) == msgp.ArrayType {
		var parts []string
		if parts, rest, err = readStrings(raw); err == nil {
			found, err = parseAlias(parts)
		}
		return found, rest, err
	}
	text, rest, err := readString(raw)
	if err == nil {
		found, err = parseReference(text)
	}
	return found, rest, err
}
