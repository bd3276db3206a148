package skewless

import (
	"context"
	"maps"
	"slices"
	"strings"
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
	services []*service // that features were taken from
	sources  []*source
	order    []position
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

// request resolves features and services; a service that is not remembered is read.
func (s *Store) request(ctx context.Context, features []string) (*request, error) {
	found := &request{}
	var err error
	if found.services, err = s.servicesIn(ctx, features); err != nil {
		return nil, err
	}
	for _, name := range features {
		references, err := found.references(name)
		if err != nil {
			return nil, err
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

func (r *request) references(name string) ([]reference, error) {
	for _, service := range r.services {
		if service.name == name {
			return service.features, nil
		}
	}
	one, err := parseReference(name)
	if err != nil {
		return nil, failed(ErrUsage, "%v; write a feature as view:field, or give the name of a service", err)
	}
	return []reference{one}, nil
}

// servicesIn gives the services among features, each once.
func (s *Store) servicesIn(ctx context.Context, features []string) ([]*service, error) {
	var found []*service
	var unknown [][]string
	for i, name := range features {
		if strings.Contains(name, ":") || slices.Contains(features[:i], name) {
			continue
		}
		if !isName(name) {
			return nil, failed(ErrUsage, "%q names no feature and no service; write a feature as view:field", name)
		}
		if known, is := s.services.Load(name); is {
			found = append(found, known.(*service))
		} else {
			found = append(found, &service{name: name})
			unknown = append(unknown, []string{s.serviceKey(name)})
		}
	}
	replies, err := s.server.mget(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if one.raw == nil {
			if err := one.decode(replies[0][0], s.namespace); err != nil {
				return nil, err
			}
			replies = replies[1:]
			s.services.Store(one.name, one)
		}
	}
	return found, nil
}

func (s *Store) serviceKey(name string) string { return s.namespace + ":service:" + name }
