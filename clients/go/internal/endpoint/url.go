// Package endpoint reads the URL of an online store; URLs are the same in every language.
package endpoint

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

type endpoint struct {
	topology           string // "", sentinel or cluster
	tls                bool
	caFile             string
	username, password string
	addresses          []string
	master             string
	db                 int
}

const forms = "write it as redis://[user:password@]host:port[/db], redis+sentinel://[user:password@]host:port,host:port/master[/db] " +
	"or redis+cluster://[user:password@]host:port,host:port; rediss instead of redis for TLS, with ?ssl_ca_certs=file " +
	"for a CA of your own; percent-encode user and password"

// parse reads a URL. No message shows any part of it: where it is wrong, that may be a part of the password.
func parse(text string) (endpoint, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	var found endpoint
	err := errors.Join(found.setScheme(scheme), found.setAuthority(authority), found.setQuery(query))
	if err == nil {
		err = found.setPath(path)
	}
	if err != nil {
		return found, fmt.Errorf("the online store's URL is wrong: %w; %s", err, forms)
	}
	return found, nil
}

func (e *endpoint) setScheme(scheme string) error {
	protocol, topology, more := strings.Cut(scheme, "+")
	e.tls, e.topology = protocol == "rediss", topology
	if (protocol != "redis" && !e.tls) || (more && topology != "sentinel" && topology != "cluster") {
		return errors.New("its scheme is unknown")
	}
	return nil
}

func (e *endpoint) setAuthority(authority string) error {
	at := strings.LastIndexByte(authority, '@')
	username, password, _ := strings.Cut(authority[:max(at, 0)], ":")
	var errs [2]error
	e.username, errs[0] = url.PathUnescape(username)
	e.password, errs[1] = url.PathUnescape(password)
	if errs[0] != nil || errs[1] != nil {
		return errors.New("its user or password is not percent-encoded")
	}
	for _, item := range strings.Split(authority[at+1:], ",") {
		host, port, err := net.SplitHostPort(item)
		if number, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || number == 0 || host == "" {
			return errors.New("each address needs a host and a port")
		}
		e.addresses = append(e.addresses, item)
	}
	return nil
}

func (e *endpoint) setPath(path string) (err error) {
	if e.topology == "sentinel" {
		if e.master, path, _ = strings.Cut(path, "/"); e.master == "" {
			return errors.New("it lacks the name of Sentinel's master")
		}
	} else if e.topology == "" && len(e.addresses) > 1 {
		return errors.New("several addresses are of Sentinels or of a Cluster")
	}
	if path == "" {
		return nil
	}
	if e.db, err = strconv.Atoi(path); err != nil || e.db < 0 {
		return errors.New("its database is no number")
	}
	if e.topology == "cluster" && e.db != 0 {
		return errors.New("a Cluster has no database but 0")
	}
	return nil
}

func (e *endpoint) setQuery(query string) error {
	values, err := url.ParseQuery(query)
	e.caFile = values.Get("ssl_ca_certs")
	values.Del("ssl_ca_certs")
	if err != nil || len(values) > 0 {
		return errors.New("it has a parameter that is not ssl_ca_certs")
	}
	return nil
}
