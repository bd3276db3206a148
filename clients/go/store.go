// Package skewless reads features from a Skewless online store.
//
//	store, err := skewless.Open(skewless.Options{URL: "redis://localhost:6379", Namespace: "prod"})
//	features, err := store.GetOnlineFeatures(ctx, userID, "transaction_stats:avg_transactions_1h")
package skewless

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"skewless/internal/endpoint"
)

const (
	defaultTimeout = 5 * time.Second
	rounds         = 20 // a reader that meets so many changes in one lookup meets something that is broken
)

// Options say where the features are.
type Options struct {
	// URL is the same in every language: redis://[user:password@]host:port[/db], with rediss for TLS, unix:///path,
	// redis+sentinel://[user:password@]host:port,host:port/master[/db] or redis+cluster://[user:password@]host:port,host:port.
	URL       string
	Namespace string
	// ConnectTimeout and CommandTimeout are 5 seconds where they are zero. A lookup sends a command twice at most.
	ConnectTimeout, CommandTimeout time.Duration
	// CAFile has the certificates in PEM that TLS trusts instead of the system's.
	CAFile string
}

// Store reads features by key. It is safe for concurrent use; it remembers each view's pointer and meta, and services.
type Store struct {
	namespace string
	server    *server
	pins      sync.Map // *pin by view
	services  sync.Map // *service by name
}

var namespaceName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Open connects to an online store. ErrUsage for options that make no sense, ErrUnavailable where it cannot connect.
func Open(options Options) (*Store, error) {
	if !namespaceName.MatchString(options.Namespace) {
		return nil, failed(ErrUsage, "%q is no namespace; it has letters, digits, _ and -", options.Namespace)
	}
	if options.ConnectTimeout < 0 || options.CommandTimeout < 0 {
		return nil, failed(ErrUsage, "a time-out is negative; give more than none, or leave it out for %v", defaultTimeout)
	}
	settings := endpoint.Settings{
		ConnectTimeout: cmp.Or(options.ConnectTimeout, defaultTimeout),
		CommandTimeout: cmp.Or(options.CommandTimeout, defaultTimeout),
		CAFile:         options.CAFile,
	}
	option, err := endpoint.Options(options.URL, settings)
	if err != nil {
		return nil, &Error{ErrUsage, err.Error(), err}
	}
	found := &server{addresses: strings.Join(option.InitAddress, ","), timeout: option.ConnWriteTimeout}
	if found.client, err = rueidis.NewClient(option); err != nil {
		if found.client != nil {
			found.client.Close()
		}
		return nil, found.unavailable(context.Background(), err)
	}
	return &Store{namespace: options.Namespace, server: found}, nil
}

// Close closes the connections.
func (s *Store) Close() { s.server.close() }

// GetOnlineFeatures gives one entity's features in their order, each once: see Answer.Row for their types.
//
// The entity is an Entity, or the bare value of its one join key. A feature is "view:field", or the name of a service,
// which stands for all of its features. An entity without a row, or with a null key, has the view's absent row; of an
// expired view, every entity has the expired row.
func (s *Store) GetOnlineFeatures(ctx context.Context, entity any, features ...string) ([]any, error) {
	answer, err := s.Lookup(ctx, []any{entity}, features...)
	if err != nil {
		return nil, err
	}
	return answer.Row(0), nil
}

// Lookup gives the features of many entities, and from what they are. Each view's rows are all of one generation.
func (s *Store) Lookup(ctx context.Context, entities []any, features ...string) (*Answer, error) {
	for range rounds {
		asked, err := s.request(ctx, features)
		if err != nil {
			return nil, err
		}
		lookups := s.lookups(asked, entities)
		switch err := s.settle(ctx, asked.services, lookups); {
		case err == errServiceChanged:
			continue
		case err != nil:
			return nil, err
		}
		if err := demandOneKey(lookups, entities); err != nil {
			return nil, err
		}
		return answered(asked, lookups, len(entities)), nil
	}
	return nil, failed(ErrUnavailable, "services changed %d times during one lookup of %q; look at their publishers", rounds, features)
}

// lookups makes one for each view.
func (s *Store) lookups(asked *request, entities []any) []*lookup {
	var found []*lookup
	for _, source := range asked.sources {
		at := slices.IndexFunc(found, func(known *lookup) bool { return known.view == source.view })
		if at < 0 {
			at = len(found)
			found = append(found, &lookup{namespace: s.namespace, view: source.view, entities: entities})
			if known, is := s.pins.Load(source.view); is {
				found[at].pin = known.(*pin)
			}
		}
		found[at].sources = append(found[at].sources, source)
	}
	return found
}

var errServiceChanged = errors.New("a service has other features than it had")

// settle asks for all views at once, until each is settled: in steady state, one round trip. Services are looked at
// beside, so that those that are remembered cost none.
func (s *Store) settle(ctx context.Context, services []*service, lookups []*lookup) error {
	pending := slices.Clone(lookups)
	for range rounds {
		replies, err := s.server.mget(ctx, s.commands(services, pending))
		if err != nil {
			return err
		}
		for _, service := range services {
			if !bytes.Equal(replies[0][0], service.raw) {
				s.services.Delete(service.name)
				return errServiceChanged
			}
			replies = replies[1:]
		}
		for _, lookup := range pending {
			before := lookup.pin
			if err := lookup.accept(replies[:lookup.sent]); err != nil {
				return err
			}
			replies = replies[lookup.sent:]
			if lookup.pin != before {
				s.remember(lookup.view, before, lookup.pin)
			}
		}
		pending = slices.DeleteFunc(pending, func(lookup *lookup) bool { return lookup.settled })
		if len(pending) == 0 {
			return nil
		}
	}
	return failed(ErrUnavailable, "view %q changed %d times during one lookup; look at its publishers", pending[0].view, rounds)
}

// remember puts a pin in the place of the one that it follows: what another lookup has put meanwhile may be newer, and stays.
func (s *Store) remember(view string, before, found *pin) {
	if before == nil {
		s.pins.LoadOrStore(view, found)
		return
	}
	s.pins.CompareAndSwap(view, before, found)
}

func (s *Store) commands(services []*service, lookups []*lookup) [][]string {
	var commands [][]string
	for _, service := range services {
		commands = append(commands, []string{s.serviceKey(service.name)})
	}
	for _, lookup := range lookups {
		own := lookup.commands()
		lookup.sent = len(own)
		commands = append(commands, own...)
	}
	return commands
}

// demandOneKey refuses bare values where views have different join keys: user 7 is not merchant 7.
func demandOneKey(lookups []*lookup, entities []any) error {
	names := map[string]bool{}
	for _, lookup := range lookups {
		for _, source := range lookup.sources {
			names[source.described(lookup.pin.meta.keys)] = true
		}
	}
	if len(names) < 2 {
		return nil
	}
	for _, entity := range entities {
		if _, is := entity.(Entity); !is {
			return failed(ErrUsage, "these features are looked up by %s; give each entity as skewless.Entity, with all of them, and not as %#v",
				strings.Join(slices.Sorted(maps.Keys(names)), " and by "), entity)
		}
	}
	return nil
}

func answered(asked *request, lookups []*lookup, rows int) *Answer {
	found := &Answer{Views: map[string]Served{}, rows: rows}
	tables := map[string]*table{}
	for _, lookup := range lookups {
		for i, source := range lookup.sources {
			tables[source.name] = lookup.tables[i]
			found.Views[source.name] = lookup.served()
		}
	}
	for _, at := range asked.order {
		source := asked.sources[at.source]
		found.Names = append(found.Names, source.name+"__"+source.fields[at.field])
		found.columns = append(found.columns, tables[source.name].columns[at.field])
	}
	return found
}
