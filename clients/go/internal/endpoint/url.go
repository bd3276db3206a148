// Package endpoint reads the URL of an online store. URLs are the same in every language:
//
//	redis://[user:password@]host[:port][/db]                              rediss:// for TLS
//	unix://[user:password@]/path[?db=0]
//	redis+sentinel://[user:password@]host[:port],host[:port]/master[/db]  rediss+sentinel://, to servers and Sentinels
//	redis+cluster://[user:password@]host[:port],host[:port]               rediss+cluster://
package endpoint

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type endpoint struct {
	topology           string   // empty, sentinel or cluster
	hosts              []string // with their ports
	path               string   // of a Unix socket
	tls                bool
	username, password string
	master             string
	db                 int

	// Of the query, as redis-py names them.
	caFile                             string
	sentinelUsername, sentinelPassword string
	clientName                         string
	timeout, connectTimeout            time.Duration // 0: not given
}

const forms = "write it as redis://host:6379/0, redis+sentinel://host:26379,host:26379/master/0 or redis+cluster://host:6379,host:6379, " +
	"with rediss for TLS and user:password@, percent-encoded, before the hosts"

// parse reads a URL. No message shows any part of it: where it is wrong, that may be a part of the password.
func parse(text string) (endpoint, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	var found endpoint
	steps := []func() error{
		func() error { return found.setScheme(scheme, path+query) },
		func() error { return found.setLogin(authority[:max(at, 0)]) },
		func() error { return found.setQuery(query) },
		func() error { return found.setHosts(authority[at+1:], scheme == "unix") },
		func() error { return found.setPath(path, scheme == "unix") },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return found, fmt.Errorf("the online store's URL is wrong: %w; %s", err, forms)
		}
	}
	return found, nil
}

var schemeForm = regexp.MustCompile(`^(?:redis(s?)(?:\+(sentinel|cluster))?|unix)$`)

func (e *endpoint) setScheme(scheme, behind string) error {
	parts := schemeForm.FindStringSubmatch(scheme)
	if parts == nil {
		return errors.New("its scheme is none of redis, rediss, unix, redis+sentinel, redis+cluster")
	}
	if strings.Contains(behind, "@") {
		return errors.New("an @ stands behind the hosts; percent-encode / and ? in the password, and @ in a path")
	}
	e.tls, e.topology = parts[1] != "", parts[2]
	return nil
}

func (e *endpoint) setLogin(login string) (err error) {
	username, password, whole := strings.Cut(login, ":")
	if login != "" && !whole {
		return errors.New("it has a user without a password; write user:password@, or :password@")
	}
	if e.username, err = decoded(username); err == nil {
		e.password, err = decoded(password)
	}
	return err
}

func (e *endpoint) setQuery(query string) error {
	for item := range strings.SplitSeq(query, "&") {
		name, text, _ := strings.Cut(item, "=")
		value, err := decoded(text)
		switch name {
		case "":
		case "ssl_ca_certs":
			if e.caFile = value; value == "" && err == nil {
				err = errors.New("its ssl_ca_certs names no file")
			}
		case "sentinel_username":
			e.sentinelUsername = value
		case "sentinel_password":
			e.sentinelPassword = value
		case "client_name":
			e.clientName = value
		case "socket_timeout":
			e.timeout, err = seconds(name, value)
		case "socket_connect_timeout":
			e.connectTimeout, err = seconds(name, value)
		case "db":
			e.db, err = database(value)
		default:
			err = errors.New("of its options it may have ssl_ca_certs, sentinel_username, sentinel_password, client_name, socket_timeout, " +
				"socket_connect_timeout and db, and no others")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *endpoint) setHosts(text string, isSocket bool) error {
	if isSocket {
		if text != "" {
			return errors.New("a Unix socket has a path and no host: unix:///path")
		}
		return nil
	}
	usual := "6379"
	if e.topology == "sentinel" {
		usual = "26379"
	}
	for part := range strings.SplitSeq(text, ",") {
		host, err := hostAndPort(part, usual)
		if err != nil {
			return err
		}
		e.hosts = append(e.hosts, host)
	}
	if e.topology == "" && len(e.hosts) > 1 {
		return errors.New("it has several hosts, and says neither redis+sentinel nor redis+cluster")
	}
	return nil
}

var hostForm = regexp.MustCompile(`^(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?$`)

func hostAndPort(text, usual string) (string, error) {
	wrong := errors.New("a host in it is not of the form host:port")
	parts := hostForm.FindStringSubmatch(text)
	if parts == nil {
		return "", wrong
	}
	host, port := parts[1]+parts[2], parts[3]
	if port == "" {
		port = usual
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", wrong
	}
	host, err := decoded(host)
	return net.JoinHostPort(host, port), err
}

func (e *endpoint) setPath(path string, isSocket bool) (err error) {
	switch {
	case isSocket && path == "":
		return errors.New("a Unix socket has a path and no host: unix:///path")
	case isSocket:
		e.path, err = decoded("/" + path)
		return err
	case e.topology == "sentinel":
		var master string
		if master, path, _ = strings.Cut(path, "/"); master == "" {
			return errors.New("behind its hosts stands no name of Sentinel's master")
		}
		if e.master, err = decoded(master); err != nil {
			return err
		}
	}
	if path != "" {
		if e.db, err = database(path); err != nil {
			return err
		}
	}
	if e.topology == "cluster" && e.db != 0 {
		return errors.New("a Cluster has database 0 only")
	}
	return nil
}

var (
	databaseForm = regexp.MustCompile(`^[0-9]{1,6}$`)
	secondsForm  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
)

func database(text string) (int, error) {
	if !databaseForm.MatchString(text) {
		return 0, errors.New("its database is no number")
	}
	return strconv.Atoi(text)
}

func seconds(name, text string) (time.Duration, error) {
	found, err := time.ParseDuration(text + "s")
	switch {
	case !secondsForm.MatchString(text) || err != nil:
		return 0, fmt.Errorf("its %s is no number of seconds", name)
	case found == 0:
		return 0, fmt.Errorf("its %s is 0; leave it out for the usual one", name)
	}
	return found, nil
}

func decoded(text string) (string, error) {
	found, err := url.PathUnescape(text)
	if err != nil {
		return "", errors.New("a % in it begins no two hex digits")
	}
	return found, nil
}
