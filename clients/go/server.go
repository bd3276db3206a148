package skewless

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// A Cluster splits a view's keys while its slot moves to another node, and then answers TRYAGAIN.
const (
	movingTries = 20
	movingPause = 50 * time.Millisecond
)

// server sends commands and tries again, where that is right: reading twice does no harm.
type server struct {
	client    rueidis.Client
	addresses string
	timeout   time.Duration
	closed    atomic.Bool
}

// mget sends an MGET for each list of keys, all at once, and gives their values; nil where there is none.
//
// A lost connection or a time-out is tried again once.
func (s *server) mget(ctx context.Context, commands [][]string) ([][][]byte, error) {
	for retried, moving := false, 0; ; {
		replies, err := s.send(ctx, commands)
		if err == nil {
			return replies, nil
		}
		answer, isAnswer := rueidis.IsRedisErr(err)
		switch {
		case ended(ctx) != nil || s.closed.Load():
			return nil, s.unavailable(ctx, err)
		case isAnswer && answer.IsTryAgain() && moving < movingTries:
			moving++
			select {
			case <-ctx.Done():
			case <-time.After(movingPause):
			}
		case isAnswer || retried:
			return nil, s.unavailable(ctx, err)
		default:
			retried = true
		}
	}
}

func (s *server) send(ctx context.Context, commands [][]string) ([][][]byte, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	built := make([]rueidis.Completed, len(commands))
	for i, keys := range commands {
		// The keys of a command are all of one slot, so the first one tells it.
		built[i] = s.client.B().Arbitrary("MGET").Keys(keys[0]).Args(keys[1:]...).ReadOnly()
	}
	replies := make([][][]byte, len(commands))
	for i, result := range s.client.DoMulti(ctx, built...) {
		messages, err := result.ToArray()
		if err != nil {
			return nil, err
		}
		replies[i] = make([][]byte, len(messages))
		for j := range messages {
			if messages[j].IsNil() {
				continue
			}
			value, err := messages[j].AsBytes()
			if err != nil {
				return nil, err
			}
			if replies[i][j] = value; value == nil {
				replies[i][j] = []byte{} // it is there, and empty
			}
		}
	}
	return replies, nil
}

func (s *server) close() {
	if !s.closed.Swap(true) {
		s.client.Close()
	}
}

// unavailable says what a failure of the client library means to a person.
func (s *server) unavailable(ctx context.Context, err error) error {
	message := fmt.Sprintf("cannot be reached: %v; start it, or check the URL", err)
	switch answer, isAnswer := rueidis.IsRedisErr(err); {
	case s.closed.Load():
		message = "was closed by this process; open it again"
	case ended(ctx) != nil:
		err = ended(ctx)
		message = fmt.Sprintf("had not answered when the caller's context ended: %v", err)
	case isAnswer && answer.IsTryAgain():
		message = fmt.Sprintf("is moving the view's slot to another node, and answers %v still; ask again later", err)
	case isAnswer && strings.HasPrefix(err.Error(), "MOVED"):
		message = "is a Cluster's node; write its URL as redis+cluster://"
	case isAnswer:
		message = fmt.Sprintf("refuses: %v; check the URL's user and its rights", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		message = fmt.Sprintf("does not answer within %v; look at its load, or give more time (CommandTimeout)", s.timeout)
	}
	return &Error{Kind: ErrUnavailable, Message: "the online store at " + s.addresses + " " + message, Cause: err}
}

// ended tells why a caller's context has ended. A connection's deadline, which is the same, can be felt a moment before.
func ended(ctx context.Context) error {
	if deadline, is := ctx.Deadline(); is && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
