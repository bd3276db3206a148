package skewless

import (
	"slices"
	"strings"
	"time"
)

// State tells whether a view's rows are served.
type State string

const (
	Live    State = "live"
	Expired State = "expired" // every entity gets the view's expired row
)

// Served is what of a view, or of an alias of one, a lookup was answered from.
type Served struct {
	SnapshotTime time.Time // UTC
	Generation   int64
	Flip         int64         // microseconds since 1970 by the server's clock, of the last change that readers could see
	Age          time.Duration // of the snapshot, by this machine's clock
	State        State
}

// Answer has a row for each entity, in their order.
type Answer struct {
	// Names of the columns, "<view>__<field>", in the order of the features; one named twice counts once.
	Names []string
	// Views, and aliases, by name.
	Views map[string]Served

	rows    int
	columns []column
}

// Len gives the number of rows.
func (a *Answer) Len() int { return a.rows }

// Row gives an entity's values, in the order of Names: a bool, int32, int64, float32, float64, string, []byte,
// time.Time, a Vector of one of them, or nil.
func (a *Answer) Row(row int) []any {
	values := make([]any, len(a.columns))
	for i, column := range a.columns {
		values[i] = column.value(row)
	}
	return values
}

// Rows gives each entity's values by name.
func (a *Answer) Rows() []map[string]any {
	rows := make([]map[string]any, a.rows)
	for row := range rows {
		rows[row] = make(map[string]any, len(a.columns))
		for i, column := range a.columns {
			rows[row][a.Names[i]] = column.value(row)
		}
	}
	return rows
}

// Column gives a column as it was read, without boxing: Column[float32](answer, "stats__mean"). An array<float32> is a
// Column[Vector[float32]]. A usage error where there is no such column, or one of another type.
func Column[T any](a *Answer, name string) (Vector[T], error) {
	at := slices.Index(a.Names, name)
	if at < 0 {
		return Vector[T]{}, failed(ErrUsage, "the answer has no column %q; it has %s", name, strings.Join(a.Names, ", "))
	}
	found, is := a.columns[at].(*typed[T])
	if !is {
		return Vector[T]{}, failed(ErrUsage, "column %s is of dtype %s, which is no %T in Go", name, a.columns[at].dtype(), *new(T))
	}
	return found.Vector, nil
}
