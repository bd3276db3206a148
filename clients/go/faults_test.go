package skewless

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands before the server, and can hold or cut what it answers.
type proxy struct {
	listener net.Listener
	server   string
	accepted atomic.Int32
	held     atomic.Bool
	cutNext  atomic.Bool // in the middle of the next answer
	mutex    sync.Mutex
	open     []net.Conn
}

func newProxy(t *testing.T) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(liveURL(t), "redis://"), "/")
	found := &proxy{listener: listener, server: address}
	go found.serve()
	t.Cleanup(func() { listener.Close(); found.cut() })
	return found
}

func (p *proxy) url() string { return "redis://" + p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.accepted.Add(1)
		p.mutex.Lock()
		p.open = append(p.open, client, server)
		p.mutex.Unlock()
		go p.copy(server, client, func(part []byte) []byte { return part })
		go p.copy(client, server, p.answered)
	}
}

// copy hands on what is read, until the function leaves some of it out.
func (p *proxy) copy(to io.WriteCloser, from io.ReadCloser, handedOn func([]byte) []byte) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		part := handedOn(buffer[:n])
		if _, err := to.Write(part); err != nil || len(part) < n {
			return
		}
	}
}

func (p *proxy) answered(part []byte) []byte {
	for p.held.Load() {
		time.Sleep(time.Millisecond)
	}
	if p.cutNext.Swap(false) {
		return part[:len(part)-10]
	}
	return part
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, one := range p.open {
		one.Close()
	}
	p.open = nil
}

// behind gives a stage with a view, and a store that has read it through a proxy.
func behind(t *testing.T, timeout time.Duration) (*proxy, func(context.Context) error) {
	stage, proxy := published(t, "view"), newProxy(t)
	store := open(t, Options{URL: proxy.url(), Namespace: stage.namespace, CommandTimeout: timeout})
	ask := func(ctx context.Context) error {
		values, err := store.GetOnlineFeatures(ctx, 7, "view:mark")
		if err == nil && values[0] != int64(7) {
			t.Errorf("got %v", values)
		}
		return err
	}
	if err := ask(context.Background()); err != nil {
		t.Fatal(err)
	}
	return proxy, ask
}

func demandUnavailable(t *testing.T, err error, mentions string) {
	t.Helper()
	var found *Error
	if !errors.Is(err, ErrUnavailable) || !errors.As(err, &found) || !strings.Contains(err.Error(), mentions) {
		t.Errorf("expected an error of the kind unavailable that mentions %q, got %v", mentions, err)
	}
}

func TestALostConnectionIsTriedAgain(t *testing.T) {
	proxy, ask := behind(t, 0)
	for range 5 {
		proxy.cut()
		if err := ask(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if accepted := proxy.accepted.Load(); accepted != 6 {
		t.Errorf("%d connections were made instead of 6", accepted)
	}
}

func TestAConnectionCutInAnAnswerIsTriedAgain(t *testing.T) {
	proxy, ask := behind(t, 0)
	proxy.cutNext.Store(true)
	if err := ask(context.Background()); err != nil || proxy.cutNext.Load() {
		t.Error("nothing was cut, or: ", err)
	}
}

func TestATimeOutIsTriedAgainOnceOnly(t *testing.T) {
	proxy, ask := behind(t, 100*time.Millisecond)
	proxy.held.Store(true)
	begun := time.Now()
	err := ask(context.Background())
	demandUnavailable(t, err, "does not answer within 100ms")
	if took, accepted := time.Since(begun), proxy.accepted.Load(); took < 150*time.Millisecond || took > 2*time.Second || accepted != 2 {
		t.Errorf("it took %v, over %d connections instead of 2", took, accepted)
	}
	proxy.held.Store(false)
	if err := ask(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTheCallersContextEndsACall(t *testing.T) {
	proxy, ask := behind(t, 0)
	proxy.held.Store(true)
	defer proxy.held.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err := ask(ctx)
	demandUnavailable(t, err, "context")
	if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if err := ask(ended); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatIsAway(t *testing.T) {
	proxy, ask := behind(t, 0)
	proxy.listener.Close()
	proxy.cut()
	begun := time.Now()
	demandUnavailable(t, ask(context.Background()), proxy.listener.Addr().String())
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
	_, err := Open(Options{URL: proxy.url(), Namespace: "dev"})
	demandUnavailable(t, err, "connection refused")
}

func TestAServerThatRefusesTheUser(t *testing.T) {
	url := strings.Replace(liveURL(t), "redis://", "redis://nobody:s3cret@", 1)
	_, err := Open(Options{URL: url, Namespace: "dev"})
	demandUnavailable(t, err, "WRONGPASS")
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the message has the password: %v", err)
	}
}

func TestAClosedStore(t *testing.T) {
	stage := published(t, "view")
	store := open(t, Options{URL: liveURL(t), Namespace: stage.namespace})
	store.Close()
	_, err := store.GetOnlineFeatures(context.Background(), 7, "view:mark")
	demandUnavailable(t, err, "closed")
}
