package skewless

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// table takes rows into columns, one for each field that is asked of a source.
type table struct {
	columns []column // in the order of the source's fields
	cells   []cell   // the same, in the order of rows
	width   int
}

type cell struct {
	position int // in a row
	column   column
	floats   []float32 // of the column, where it has any
}

const (
	float32Code, float32Size = 0xca, 5 // bytes
	shortArray               = 0x90    // with its count in the lower bits
)

// newTable makes the columns, empty; a usage error where the view lacks a field.
func newTable(asked *source, meta *meta, rows int) (*table, error) {
	found := &table{width: len(meta.fields)}
	for _, name := range asked.fields {
		position := meta.position(name)
		if position < 0 {
			return nil, failed(ErrUsage, "view %q has no field %q; it has %s", asked.view, name, strings.Join(meta.names(), ", "))
		}
		column := columns[meta.fields[position].dtype](rows)
		found.columns = append(found.columns, column)
		found.cells = append(found.cells, cell{position, column, floatsOf(column)})
	}
	slices.SortFunc(found.cells, func(one, other cell) int { return cmp.Compare(one.position, other.position) })
	return found, nil
}

// setAsOf reads an entity's row in a generation from its slots, all of which are looked at, since what is torn is not to
// be believed. It tells whether there is one.
func (t *table) setAsOf(row int, slots []byte, generation int64) (isThere bool, err error) {
	size, raw, err := msgp.ReadArrayHeaderBytes(slots)
	if err == nil && size != 4 {
		err = fmt.Errorf("it has %d elements instead of two slots", size)
	}
	found := false
	for range 2 {
		var number int64
		if err == nil {
			number, raw, err = msgp.ReadInt64Bytes(raw)
		}
		switch {
		case err != nil:
			return false, err
		case found || number > generation:
			raw, err = skip(raw)
		case msgp.IsNil(raw):
			found, raw = true, raw[1:]
		default:
			found, isThere = true, true
			raw, err = t.set(row, raw)
		}
	}
	if err == nil {
		err = demandEnd(raw)
	}
	return isThere, err
}

// set reads a row, and gives what is behind it.
func (t *table) set(row int, raw []byte) ([]byte, error) {
	size, raw, err := msgp.ReadArrayHeaderBytes(raw)
	if err == nil && int(size) != t.width {
		err = fmt.Errorf("it has %d values for %d fields", size, t.width)
	}
	cells := t.cells
	for at := 0; at < t.width && err == nil; at++ {
		if len(cells) == 0 || cells[0].position != at {
			raw, err = skip(raw)
			continue
		}
		raw, err = cells[0].set(row, raw)
		cells = cells[1:]
	}
	return raw, err
}

// set reads the value in front. What features mostly are, a float32, has a quicker way of its own.
func (c *cell) set(row int, raw []byte) ([]byte, error) {
	if c.floats != nil && len(raw) >= float32Size && raw[0] == float32Code {
		c.floats[row] = math.Float32frombits(binary.BigEndian.Uint32(raw[1:]))
		return raw[float32Size:], nil
	}
	return c.column.set(row, raw)
}

// skip passes a value. Rows mostly are short arrays of float32, and those have a quicker way of their own.
func skip(raw []byte) ([]byte, error) {
	if len(raw) == 0 || raw[0]&0xf0 != shortArray {
		return msgp.Skip(raw)
	}
	count := int(raw[0] & 0x0f)
	rest, err := raw[1:], error(nil)
	for ; count > 0 && err == nil; count-- {
		if len(rest) >= float32Size && rest[0] == float32Code {
			rest = rest[float32Size:]
		} else {
			rest, err = msgp.Skip(rest)
		}
	}
	return rest, err
}

func floatsOf(column column) []float32 {
	if floats, is := column.(*typed[float32]); is {
		return floats.Values
	}
	return nil
}
