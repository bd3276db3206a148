package skewless

import (
	"errors"
	"fmt"
)

// The four kinds of errors; ask for one with errors.Is.
var (
	// ErrUsage: the request makes no sense: an unknown field, a missing join key, a key of the wrong type.
	ErrUsage = errors.New("usage")
	// ErrNotPublished: the view or service has nothing live in the namespace.
	ErrNotPublished = errors.New("not published")
	// ErrUnreadable: the store holds what this reader cannot read: a newer format, a dtype of later, broken bytes.
	ErrUnreadable = errors.New("unreadable")
	// ErrUnavailable: the server is away, refuses, or does not answer in time.
	ErrUnavailable = errors.New("unavailable")
)

// Error is what every call of this package fails with. Its message says what, where and what next.
type Error struct {
	Kind    error // one of the four
	Message string
	Cause   error // what the client library or the context said; may be nil
}

func (e *Error) Error() string { return e.Message }

// Unwrap lets errors.Is and errors.As find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func failed(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// unreadable tells what does not parse, and why.
func unreadable(cause error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	message := fmt.Sprintf("%s cannot be read: %v; publish it in full, or use a reader of its version", what, cause)
	return &Error{ErrUnreadable, message, cause}
}
