package endpoint

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/redis/rueidis"
)

// Settings hold where the URL does not say.
type Settings struct {
	ConnectTimeout, CommandTimeout time.Duration
	CAFile                         string
}

const (
	keepAlive     = time.Second // a connection that is idle is asked PING so often
	askSentinel   = 5 * time.Second
	redirections  = 16
	oneConnection = -1 // per server, shared by all: when it is lost, the next one is surely new
)

// Options gives the client library's options for a URL. It retries nothing by itself.
func Options(text string, settings Settings) (rueidis.ClientOption, error) {
	found, err := parse(text)
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	security, err := found.security(settings.CAFile)
	dialer := net.Dialer{Timeout: cmp.Or(found.connectTimeout, settings.ConnectTimeout), KeepAlive: keepAlive}
	option := rueidis.ClientOption{
		InitAddress:       found.hosts,
		Username:          found.username,
		Password:          found.password,
		ClientName:        found.clientName,
		SelectDB:          found.db,
		TLSConfig:         security,
		Dialer:            dialer,
		ConnWriteTimeout:  cmp.Or(found.timeout, settings.CommandTimeout),
		PipelineMultiplex: oneConnection,
		ForceSingleClient: found.topology == "",
		DisableCache:      true,
		DisableRetry:      true,
	}
	if found.path != "" {
		option.InitAddress, option.DialCtxFn = []string{found.path}, dialSocket
	}
	switch found.topology {
	case "sentinel":
		option.Sentinel = rueidis.SentinelOption{
			MasterSet:               found.master,
			Username:                found.sentinelUsername,
			Password:                found.sentinelPassword,
			ClientName:              found.clientName,
			TLSConfig:               security,
			Dialer:                  dialer,
			TopologyRefreshInterval: askSentinel,
		}
	case "cluster":
		option.ClusterOption.MaxMovedRedirections = redirections
	}
	return option, err
}

func dialSocket(ctx context.Context, path string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return dialer.DialContext(ctx, "unix", path)
}

func (e *endpoint) security(caFile string) (*tls.Config, error) {
	caFile = cmp.Or(e.caFile, caFile)
	if !e.tls {
		if caFile != "" {
			return nil, errors.New("there is a CA file, but no TLS; begin the online store's URL with rediss instead of redis")
		}
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		content, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("the CA file cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("the CA file %s has no certificate in PEM", caFile)
		}
	}
	return config, nil
}
