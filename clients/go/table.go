package skewless

import (
	"cmp"
	"fmt"
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
}

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
		found.cells = append(found.cells, cell{position, column})
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
		if len(cells) > 0 && cells[0].position == at {
			raw, err = cells[0].column.set(row, raw)
			cells = cells[1:]
		} else {
			raw, err = msgp.Skip(raw)
		}
	}
	return err
}
