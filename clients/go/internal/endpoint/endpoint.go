package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/redis/rueidis"
)

// Settings are what a URL does not say.
type Settings struct {
	ConnectTimeout, CommandTimeout     time.Duration
	CAFile                             string
	SentinelUsername, SentinelPassword string
}

const (
	keepAlive      = time.Second // a connection that is idle is asked PING so often
	askSentinel    = 5 * time.Second
	redirections   = 16
	oneConnection  = -1 // per server, shared by all: when it is lost, the next one is surely new
	minimumVersion = tls.VersionTLS12
)

// Options gives the client library's options for a URL. It retries nothing by itself.
func Options(text string, settings Settings) (rueidis.ClientOption, error) {
	found, err := parse(text)
	if err != nil {
		return rueidis.ClientOption{}, err
	}
	if settings.CAFile != "" {
		found.caFile = settings.CAFile
	}
	security, err := found.security()
	dialer := net.Dialer{Timeout: settings.ConnectTimeout, KeepAlive: keepAlive}
	option := rueidis.ClientOption{
		InitAddress:       found.addresses,
		Username:          found.username,
		Password:          found.password,
		SelectDB:          found.db,
		TLSConfig:         security,
		Dialer:            dialer,
		ConnWriteTimeout:  settings.CommandTimeout,
		PipelineMultiplex: oneConnection,
		ForceSingleClient: found.topology == "",
		DisableCache:      true,
		DisableRetry:      true,
	}
	switch found.topology {
	case "sentinel":
		option.Sentinel = rueidis.SentinelOption{
			MasterSet:               found.master,
			Username:                settings.SentinelUsername,
			Password:                settings.SentinelPassword,
			TLSConfig:               security,
			Dialer:                  dialer,
			TopologyRefreshInterval: askSentinel,
		}
	case "cluster":
		option.ClusterOption.MaxMovedRedirections = redirections
	}
	return option, err
}

func (e *endpoint) security() (*tls.Config, error) {
	if !e.tls && e.caFile != "" {
		return nil, fmt.Errorf("a CA file, but no TLS: write the online store's URL with rediss instead of redis")
	}
	if !e.tls {
		return nil, nil
	}
	config := &tls.Config{MinVersion: minimumVersion}
	if e.caFile != "" {
		content, err := os.ReadFile(e.caFile)
		if err != nil {
			return nil, fmt.Errorf("the CA file cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("the CA file %s has no certificate in PEM", e.caFile)
		}
	}
	return config, nil
}
