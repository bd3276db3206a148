package skewless

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"
)

const chunk = 500 // entities in one MGET

// pin is the pointer of a view that was seen last, and how to read what it points to. Beside another pointer the meta is
// asked for again: a store that was emptied, or lost a flip, may count its epochs anew, with another meta.
type pin struct {
	pointer pointer
	meta    *meta
}

// lookup reads one view for some entities, and does no input or output: send the commands, accept the replies, until
// it is settled. The view and its aliases are asked for as one, so that all are of one generation.
type lookup struct {
	namespace, view string
	sources         []*source
	entities        []any

	pin    *pin // nil: no epoch is known
	asking bool // for the meta of the wanted epoch
	wanted int64
	sent   int      // commands of this round
	keys   []string // of the entities for each source in turn; empty where a join key is null
	keyErr error    // of the entities, as the pin's meta has the join keys

	pointer pointer
	live    bool
	settled bool
	tables  []*table // by source
}

func (l *lookup) tag() string { return "{" + l.namespace + ":" + l.view + "}:" }

// commands gives the keys of each MGET: the state alone, or with an epoch's meta, or with the entities, in chunks.
func (l *lookup) commands() [][]string {
	tag := l.tag()
	state := []string{tag + "p", tag + "a"}
	if l.asking {
		return [][]string{append(state, tag+"m:"+strconv.FormatInt(l.wanted, 10))}
	}
	if l.pin == nil {
		return [][]string{state}
	}
	if l.keys, l.keyErr = l.entityKeys(); l.keyErr != nil {
		return [][]string{state} // it is an error only if the epoch is still this one
	}
	asked := l.keys
	if slices.Contains(asked, "") {
		asked = slices.DeleteFunc(slices.Clone(asked), func(key string) bool { return key == "" })
	}
	commands := make([][]string, 0, 1+len(asked)/chunk)
	for start := 0; start == 0 || start < len(asked); start += chunk {
		part := asked[start:min(start+chunk, len(asked))]
		commands = append(commands, append(append(make([]string, 0, 2+len(part)), state...), part...))
	}
	return commands
}

// accept takes the replies, one for each command.
func (l *lookup) accept(replies [][][]byte) (err error) {
	first := replies[0]
	if first[0] == nil {
		return l.notPublished()
	}
	if l.pointer, err = decodePointer(first[0]); err != nil {
		return unreadable(err, "the pointer of view %q", l.view)
	}
	switch {
	case l.asking:
		return l.acceptMeta(first[2])
	case l.pin == nil || l.pin.pointer != l.pointer:
		l.asking, l.wanted = true, l.pointer.epoch
		return nil
	case l.keyErr != nil:
		return l.keyErr
	}
	if l.live, err = l.vouched(first[1]); err != nil {
		return err
	}
	for _, reply := range replies[1:] {
		live, err := l.vouched(reply[1])
		if err != nil || live != l.live || !bytes.Equal(reply[0], first[0]) {
			return err // without one, the chunks are of different instants: again
		}
	}
	return l.settle(replies)
}

func (l *lookup) acceptMeta(raw []byte) error {
	if l.wanted != l.pointer.epoch {
		l.wanted = l.pointer.epoch // it moved meanwhile
		return nil
	}
	if raw == nil {
		return l.notPublished()
	}
	found, err := decodeMeta(raw)
	if err != nil {
		return unreadable(err, "the meta of view %q", l.view)
	}
	l.pin, l.asking = &pin{l.pointer, found}, false
	return nil
}

// vouched tells whether alive holds the pointer's flip; otherwise the view is expired.
func (l *lookup) vouched(alive []byte) (bool, error) {
	if alive == nil {
		return false, nil
	}
	flip, rest, err := msgp.ReadInt64Bytes(alive)
	if err == nil {
		err = demandEnd(rest)
	}
	if err != nil {
		return false, unreadable(err, "the flip that keeps view %q alive", l.view)
	}
	return flip == l.pointer.flip, nil
}

// settle reads the rows as of the pointer's generation, into a table for each source.
func (l *lookup) settle(replies [][][]byte) error {
	var values [][]byte
	for _, reply := range replies {
		values = append(values, reply[2:]...)
	}
	rows := len(l.entities)
	for i, source := range l.sources {
		table, err := newTable(source, l.pin.meta, rows)
		if err != nil {
			return err
		}
		for row, key := range l.keys[i*rows : (i+1)*rows] {
			var slots []byte
			if key != "" {
				slots, values = values[0], values[1:]
			}
			if err := l.read(table, row, slots); err != nil {
				return unreadable(err, "the row of view %q at %s", l.view, cmp.Or(key, "a null key"))
			}
		}
		l.tables = append(l.tables, table)
	}
	l.settled = true
	return nil
}

// read reads one entity's row; slots is nil where it has none.
func (l *lookup) read(table *table, row int, slots []byte) error {
	if !l.live {
		_, err := table.set(row, l.pin.meta.expired)
		return err
	}
	if slots != nil {
		if isThere, err := table.setAsOf(row, slots, l.pointer.generation); isThere || err != nil {
			return err
		}
	}
	_, err := table.set(row, l.pin.meta.absent)
	return err
}

func (l *lookup) notPublished() error {
	return failed(ErrNotPublished, "view %q is not published in namespace %q; publish it, or check the namespace", l.view, l.namespace)
}

func (l *lookup) served() Served {
	taken := time.UnixMicro(l.pointer.snapshotTime).UTC()
	state := Expired
	if l.live {
		state = Live
	}
	return Served{taken, l.pointer.generation, l.pointer.flip, time.Since(taken), state}
}
