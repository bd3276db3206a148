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

const float32Code, float32Size = 0xca, 5 // bytes

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

// set reads a row; its end, too, is looked for, since one that is torn is not to be believed.
func (t *table) set(row int, raw []byte) error {
	size, raw, err := msgp.ReadArrayHeaderBytes(raw)
	if err == nil && int(size) != t.width {
		err = fmt.Errorf("it has %d values for %d fields", size, t.width)
	}
	cells := t.cells
	for at := 0; at < t.width && err == nil; at++ {
		if len(cells) == 0 || cells[0].position != at {
			raw, err = msgp.Skip(raw)
			continue
		}
		raw, err = cells[0].set(row, raw)
		cells = cells[1:]
	}
	return err
}

// set reads the value in front. What features mostly are, a float32, has a quicker way of its own.
func (c *cell) set(row int, raw []byte) ([]byte, error) {
	if c.floats != nil && len(raw) >= float32Size && raw[0] == float32Code {
		c.floats[row] = math.Float32frombits(binary.BigEndian.Uint32(raw[1:]))
		return raw[float32Size:], nil
	}
	return c.column.set(row, raw)
}

func floatsOf(column column) []float32 {
	if floats, is := column.(*typed[float32]); is {
		return floats.Values
	}
	return nil
}
