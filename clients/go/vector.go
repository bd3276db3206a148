package skewless

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// Vector is a column of values, or the value of an array feature.
type Vector[T any] struct {
	Values []T    // the zero value where null
	Null   []bool // nil where none is null
}

// IsNull tells whether the value at a position is null.
func (v Vector[T]) IsNull(i int) bool { return v.Null != nil && v.Null[i] }

// column takes the values of one field, row by row, from MessagePack.
type column interface {
	// set reads the value in front of raw, and gives what is behind it.
	set(row int, raw []byte) ([]byte, error)
	// setFlat reads the value in front of a part of a flat row.
	setFlat(row int, raw []byte)
	value(row int) any
	dtype() string
}

type reader[T any] func(raw []byte) (T, []byte, error)

// typed is the column of one dtype, whose values Go has as T.
type typed[T any] struct {
	Vector[T]
	name string
	read reader[T]
	flat func(raw []byte) T // nil where rows with such a value are never flat
}

const null = 0xc0

// widths are the bytes of a value in a flat row, of those dtypes that may be in one.
var widths = map[string]int{}

func (c *typed[T]) set(row int, raw []byte) (rest []byte, err error) {
	if len(raw) > 0 && raw[0] == null {
		if c.Null == nil {
			c.Null = make([]bool, len(c.Values))
		}
		c.Null[row] = true
		return raw[1:], nil
	}
	c.Values[row], rest, err = c.read(raw)
	return rest, err
}

func (c *typed[T]) setFlat(row int, raw []byte) { c.Values[row] = c.flat(raw) }

func (c *typed[T]) value(row int) any {
	if c.IsNull(row) {
		return nil
	}
	return c.Values[row]
}

func (c *typed[T]) dtype() string { return c.name }

// columns makes a column of some rows for each dtype.
var columns = map[string]func(rows int) column{}

func init() {
	order := binary.BigEndian
	register("bool", msgp.ReadBoolBytes, 1, func(raw []byte) bool { return raw[0] != 0 })
	register("int32", msgp.ReadInt32Bytes, 4, func(raw []byte) int32 { return int32(order.Uint32(raw)) })
	register("int64", msgp.ReadInt64Bytes, 8, func(raw []byte) int64 { return int64(order.Uint64(raw)) })
	register("float32", msgp.ReadFloat32Bytes, 4, func(raw []byte) float32 { return math.Float32frombits(order.Uint32(raw)) })
	register("float64", readFloat64, 8, func(raw []byte) float64 { return math.Float64frombits(order.Uint64(raw)) })
	register("string", readString, 0, nil)
	register("bytes", readBytes, 0, nil)
	register("timestamp", readTimestamp, 8, func(raw []byte) time.Time { return asTime(int64(order.Uint64(raw))) })
}

func register[T any](name string, read reader[T], width int, flat func(raw []byte) T) {
	if width > 0 {
		widths[name] = width
	}
	columns[name] = maker(name, read, flat)
	list := "array<" + name + ">"
	columns[list] = maker(list, listOf(read), nil)
}

func maker[T any](name string, read reader[T], flat func(raw []byte) T) func(rows int) column {
	return func(rows int) column {
		return &typed[T]{Vector[T]{Values: make([]T, rows)}, name, read, flat}
	}
}

func listOf[T any](read reader[T]) reader[Vector[T]] {
	return func(raw []byte) (Vector[T], []byte, error) {
		n, rest, err := msgp.ReadArrayHeaderBytes(raw)
		if err == nil && int(n) > len(rest) { // an element has a byte at least
			err = msgp.ErrShortBytes
		}
		if err != nil {
			return Vector[T]{}, raw, err
		}
		list := typed[T]{Vector: Vector[T]{Values: make([]T, n)}, read: read}
		for i := 0; i < int(n) && err == nil; i++ {
			rest, err = list.set(i, rest)
		}
		return list.Vector, rest, err
	}
}

// readFloat64 is strict where the library also takes a float32.
func readFloat64(raw []byte) (float64, []byte, error) {
	if found := msgp.NextType(raw); found == msgp.Float32Type {
		return 0, raw, msgp.TypeError{Method: msgp.Float64Type, Encoded: found}
	}
	return msgp.ReadFloat64Bytes(raw)
}

var errText = errors.New("a string is not UTF-8")

func readString(raw []byte) (string, []byte, error) {
	text, rest, err := msgp.ReadStringBytes(raw)
	if err == nil && !utf8.ValidString(text) {
		err = errText
	}
	return text, rest, err
}

func readBytes(raw []byte) ([]byte, []byte, error) {
	return msgp.ReadBytesBytes(raw, []byte{})
}

func readTimestamp(raw []byte) (time.Time, []byte, error) {
	micros, rest, err := msgp.ReadInt64Bytes(raw)
	return asTime(micros), rest, err
}

func asTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
