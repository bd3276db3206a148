package skewless

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"
)

const format = 1

// pointer says which generation of a view is live, and in which epoch its rows are.
type pointer struct {
	flip, generation, epoch, snapshotTime int64
}

// meta says how the rows of an epoch are to be read.
type meta struct {
	keys            []joinKey
	fields          []field
	absent, expired []byte // rows
}

type field struct{ name, dtype string }

func decodePointer(raw []byte) (found pointer, err error) {
	size, raw, err := formatted(raw, 5)
	for _, number := range []*int64{&found.flip, &found.generation, &found.epoch, &found.snapshotTime} {
		if err == nil {
			*number, raw, err = msgp.ReadInt64Bytes(raw)
		}
	}
	if err == nil {
		err = skipUnknown(raw, size-5)
	}
	return found, err
}

func decodeMeta(raw []byte) (*meta, error) {
	found := &meta{}
	size, raw, err := formatted(raw, 6)
	if err == nil {
		raw, err = msgp.Skip(raw) // the fingerprint
	}
	if err == nil {
		raw, err = eachPair(raw, func(name, kind string) error {
			found.keys = append(found.keys, joinKey{name, kind})
			if kind != "string" && kind != "integer" {
				return fmt.Errorf("join key %s is of a kind %q, which this reader does not know; update it", name, kind)
			}
			return nil
		})
	}
	if err == nil {
		raw, err = eachPair(raw, func(name, dtype string) error {
			found.fields = append(found.fields, field{name, dtype})
			if columns[dtype] == nil {
				return fmt.Errorf("field %s is of a dtype %q, which this reader does not know; update it", name, dtype)
			}
			return nil
		})
	}
	if err == nil {
		raw, err = found.constants(raw)
	}
	if err == nil {
		err = skipUnknown(raw, size-6)
	}
	return found, err
}

// constants takes the absent and the expired row, each of which must have a value of its dtype for each field.
func (m *meta) constants(raw []byte) ([]byte, error) {
	all, err := newTable(&source{fields: m.names()}, m, 1)
	for _, row := range []*[]byte{&m.absent, &m.expired} {
		if err == nil {
			*row = raw
			raw, err = all.set(0, raw)
		}
	}
	return raw, err
}

// skipUnknown passes so many elements that a later version added, and demands the end.
func skipUnknown(raw []byte, count uint32) (err error) {
	for ; count > 0 && err == nil; count-- {
		raw, err = msgp.Skip(raw)
	}
	if err != nil {
		return err
	}
	return demandEnd(raw)
}

func (m *meta) keyNames() []string {
	names := make([]string, len(m.keys))
	for i, key := range m.keys {
		names[i] = key.name
	}
	return names
}

func (m *meta) names() []string {
	names := make([]string, len(m.fields))
	for i, field := range m.fields {
		names[i] = field.name
	}
	return names
}

// flat gives where each field lies in a flat row, and the bytes of one; 0 where no row is flat.
func (m *meta) flat() (offsets []int, size int) {
	offsets = make([]int, len(m.fields))
	for i, field := range m.fields {
		offsets[i] = size
		width, isFlat := widths[field.dtype]
		if !isFlat {
			return make([]int, len(m.fields)), 0
		}
		size += width
	}
	return offsets, size
}

// position gives a field's place in a row; -1 where there is none of that name.
func (m *meta) position(name string) int {
	for i, field := range m.fields {
		if field.name == name {
			return i
		}
	}
	return -1
}

// formatted reads the format in front of an array, and refuses others than ours before all else.
func formatted(raw []byte, least uint32) (uint32, []byte, error) {
	size, raw, err := msgp.ReadArrayHeaderBytes(raw)
	if err != nil {
		return size, raw, err
	}
	number, raw, err := msgp.ReadInt64Bytes(raw)
	switch {
	case err != nil:
	case number != format:
		err = fmt.Errorf("it is of format %d, and this reader knows format %d; update it", number, format)
	case size < least:
		err = fmt.Errorf("it has %d elements instead of %d", size, least)
	}
	return size, raw, err
}

// demandEnd refuses bytes behind the end of a value.
func demandEnd(rest []byte) error {
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes follow behind its end", len(rest))
	}
	return nil
}

func eachPair(raw []byte, take func(first, second string) error) ([]byte, error) {
	size, raw, err := msgp.ReadArrayHeaderBytes(raw)
	for i := uint32(0); i < size && err == nil; i++ {
		var pair []string
		if pair, raw, err = readStrings(raw); err == nil {
			if len(pair) != 2 {
				return raw, errors.New("what should be pairs of names has other sizes")
			}
			err = take(pair[0], pair[1])
		}
	}
	return raw, err
}

func readStrings(raw []byte) ([]string, []byte, error) {
	list, rest, err := listOf(readString)(raw)
	if err == nil && list.Null != nil {
		err = errors.New("a name is null")
	}
	return list.Values, rest, err
}
