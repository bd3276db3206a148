package skewless

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// table takes rows into columns, one for each field that is asked of a source. The other fields are looked at, no more.
type table struct {
	columns []column // in the order of the source's fields
	cells   []cell   // the same, in the order of rows
	fields  []field  // of a row
	others  []column // of the fields that are not asked for: one row, made where it is needed, and written over and over
	flat    int      // bytes of a flat row; 0: no row is flat
}

type cell struct {
	position int // in a row
	offset   int // in a flat row
	column   column
}

// newTable makes the columns, empty; a usage error where the view lacks a field.
func newTable(asked *source, meta *meta, rows int) (*table, error) {
	offsets, flat := meta.flat()
	found := &table{fields: meta.fields, others: make([]column, len(meta.fields)), flat: flat}
	for _, name := range asked.fields {
		position := meta.position(name)
		if position < 0 {
			return nil, failed(ErrUsage, "view %q has no field %q; it has %s", asked.view, name, strings.Join(meta.names(), ", "))
		}
		column := columns[meta.fields[position].dtype](rows)
		found.columns = append(found.columns, column)
		found.cells = append(found.cells, cell{position, offsets[position], column})
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
			raw, err = msgp.Skip(raw)
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
	if t.flat > 0 && msgp.NextType(raw) == msgp.BinType {
		return t.setFlat(row, raw)
	}
	size, raw, err := msgp.ReadArrayHeaderBytes(raw)
	if err == nil && int(size) != len(t.fields) {
		err = fmt.Errorf("it has %d values for %d fields", size, len(t.fields))
	}
	cells := t.cells
	for at := 0; at < len(t.fields) && err == nil; at++ {
		if len(cells) == 0 || cells[0].position != at {
			raw, err = t.other(at).set(0, raw)
			continue
		}
		raw, err = cells[0].column.set(row, raw)
		cells = cells[1:]
	}
	return raw, err
}

// other is the column of a field that is not asked for.
func (t *table) other(position int) column {
	if t.others[position] == nil {
		t.others[position] = columns[t.fields[position].dtype](1)
	}
	return t.others[position]
}

// setFlat does so where it is flat.
func (t *table) setFlat(row int, raw []byte) ([]byte, error) {
	values, rest, err := msgp.ReadBytesZC(raw)
	if err == nil && len(values) != t.flat {
		err = fmt.Errorf("a row has %d bytes instead of %d", len(values), t.flat)
	}
	if err != nil {
		return raw, err
	}
	for _, cell := range t.cells {
		cell.column.setFlat(row, values[cell.offset:])
	}
	return rest, nil
}
