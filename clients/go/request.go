package skewless

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// source is a view, or an alias of one, of which a request asks fields.
type source struct {
	name   string
	view   string
	keys   map[string]string // an alias': by join key, the key under which entities have it; nil for a view
	fields []string
}

// entityKey gives the name under which entities have a join key; empty where an alias does not say.
func (s *source) entityKey(name string) string {
	if s.keys == nil {
		return name
	}
	return s.keys[name]
}

// position is where a feature is in a request: its source, and its field there.
type position struct{ source, field int }

// request is what was asked: each feature once, and their order.
type request struct {
	sources []*source
	order   []position
}

func (r *request) add(asked reference) error {
	at := slices.IndexFunc(r.sources, func(known *source) bool { return known.name == asked.name })
	if at < 0 {
		at = len(r.sources)
		r.sources = append(r.sources, &source{name: asked.name, view: asked.view, keys: asked.keys})
	}
	found := r.sources[at]
	if found.view != asked.view || !maps.Equal(found.keys, asked.keys) {
		return failed(ErrUsage, "%q has two meanings here, as a view and as an alias, or as two aliases; ask for them one by one", asked.name)
	}
	if !slices.Contains(found.fields, asked.field) {
		r.order = append(r.order, position{at, len(found.fields)})
		found.fields = append(found.fields, asked.field)
	}
	return nil
}

// request resolves features, and services, whose lists it reads in one round trip.
func (s *Store) request(ctx context.Context, features []string) (*request, error) {
	var services []string
	for _, name := range features {
		if !strings.Contains(name, ":") && !slices.Contains(services, name) {
			services = append(services, name)
		}
	}
	lists, err := s.services(ctx, services)
	if err != nil {
		return nil, err
	}
	found := &request{}
	for _, name := range features {
		references, isService := lists[name]
		if !isService {
			one, err := parseReference(name)
			if err != nil {
				return nil, failed(ErrUsage, "%v; write a feature as view:field, or give the name of a service", err)
			}
			references = []reference{one}
		}
		for _, one := range references {
			if err := found.add(one); err != nil {
				return nil, err
			}
		}
	}
	if len(found.order) == 0 {
		return nil, failed(ErrUsage, "no features are asked for; give them as view:field, or give the name of a service")
	}
	return found, nil
}

func (s *Store) services(ctx context.Context, names []string) (map[string][]reference, error) {
	commands := make([][]string, len(names))
	for i, name := range names {
		if name == "" || !utf8.ValidString(name) {
			return nil, failed(ErrUsage, "%q names no feature and no service; write a feature as view:field", name)
		}
		commands[i] = []string{s.namespace + ":service:" + name}
	}
	replies, err := s.server.mget(ctx, commands)
	if err != nil {
		return nil, err
	}
	lists := map[string][]reference{}
	for i, name := range names {
		raw := replies[i][0]
		if raw == nil {
			return nil, failed(ErrNotPublished, "there is no service %q in namespace %q; publish its views first, or check the namespace", name, s.namespace)
		}
		if lists[name], err = decodeService(raw); err != nil {
			return nil, unreadable(err, "the list of features of service %q", name)
		}
	}
	return lists, nil
}
