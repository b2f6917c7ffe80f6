package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"gatehouse/internal/authenticator/directory"
	"gatehouse/internal/config"
	"gatehouse/internal/seal"
)

// settings configure the authenticator, from a YAML file and the environment.
type settings struct {
	Listen           string   `key:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:5000" doc:"Address and port to listen on."`
	LogLevel         string   `key:"log_level" env:"GATEHOUSE_LOG_LEVEL" default:"info" doc:"Least level that is logged: debug, info, warn or error."`
	TrustedProxies   []string `key:"trusted_proxies" env:"GATEHOUSE_TRUSTED_PROXIES" doc:"Addresses or networks of proxies whose X-Forwarded-For is believed."`
	LegacyErrorCodes bool     `key:"legacy_error_codes" env:"GATEHOUSE_LEGACY_ERROR_CODES" default:"false" doc:"Answer 400 in place of every other 4xx of the JSON endpoints, for old tooling."`

	SiteID           string        `key:"site_id" env:"GATEHOUSE_SITE_ID" required:"true" doc:"Site whose tenants are served."`
	MasterKey        string        `key:"master_key" env:"GATEHOUSE_MASTER_KEY" secret:"true" required:"true" doc:"Key that seals secrets at rest: 32 random bytes in hexadecimal or base64."`
	ClientKeyDisplay string        `key:"client_key_display" env:"GATEHOUSE_CLIENT_KEY_DISPLAY" default:"owner" doc:"Who sees the key of an OAuth client after its creation: owner, or nobody with once."`
	TokenRetention   time.Duration `key:"token_retention" env:"GATEHOUSE_TOKEN_RETENTION" default:"168h" doc:"How long the record of a token is kept after it expired."`

	Database    databaseSettings             `key:"database"`
	Registry    registrySettings             `key:"registry"`
	Directories map[string]directorySettings `key:"directories" doc:"LDAP directories, by the ids of the LDAP connections in the registry."`
}

type databaseSettings struct {
	URL string `key:"url" env:"GATEHOUSE_DATABASE_URL" secret:"true" required:"true" doc:"Database: postgres://user:password@host:5432/name or sqlite:path."`
}

type registrySettings struct {
	URL  string        `key:"url" env:"GATEHOUSE_REGISTRY_URL" required:"true" doc:"Where the registry of sites and tenants is, without the path."`
	Poll time.Duration `key:"poll" env:"GATEHOUSE_REGISTRY_POLL" default:"5s" doc:"How often the registry is asked for changes."`
}

type directorySettings struct {
	URL          string `key:"url" required:"true" doc:"ldaps://host:port, or ldap://host:port with start_tls."`
	StartTLS     bool   `key:"start_tls" default:"false" doc:"Upgrade an ldap:// connection to TLS."`
	CAFile       string `key:"ca_file" doc:"PEM file of the authorities that may sign the server's certificate; empty: the system's."`
	UserDN       string `key:"user_dn" required:"true" doc:"Template such as uid=${username},ou=People,dc=example,dc=org, or a search base."`
	BindDN       string `key:"bind_dn" required:"true" doc:"Account that looks people up."`
	BindPassword string `key:"bind_password" secret:"true" doc:"Password of that account; or bind_password_file."`
	PasswordFile string `key:"bind_password_file" doc:"File with the password of that account."`
	Filter       string `key:"filter" doc:"LDAP filter that people must match to sign in."`
}

// Validate implements config.Validator.
func (s settings) Validate() []config.Fault {
	var faults []config.Fault
	var level slog.Level
	if level.UnmarshalText([]byte(s.LogLevel)) != nil {
		faults = append(faults, config.Fault{Key: "log_level", Problem: "must be debug, info, warn or error"})
	}
	if _, err := s.box(); s.MasterKey != "" && err != nil {
		faults = append(faults, config.Fault{Key: "master_key", Problem: "must be 32 random bytes in hexadecimal or base64"})
	}
	if s.ClientKeyDisplay != "owner" && s.ClientKeyDisplay != "once" {
		faults = append(faults, config.Fault{Key: "client_key_display", Problem: "must be owner or once"})
	}
	if s.Registry.Poll < time.Second {
		faults = append(faults, config.Fault{Key: "registry.poll", Problem: "must be at least 1s"})
	}
	return faults
}

func (s settings) level() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // checked by Validate
	return level
}

func (s settings) box() (*seal.Box, error) {
	key, err := seal.ParseKey(s.MasterKey)
	if err != nil {
		return nil, err
	}
	return seal.New(key)
}

// directories reads the files that the directory settings name.
func (s settings) directories() (map[string]directory.Config, error) {
	all := map[string]directory.Config{}
	for id, d := range s.Directories {
		cfg := directory.Config{
			URL: d.URL, StartTLS: d.StartTLS, UserDN: d.UserDN, BindDN: d.BindDN, BindPassword: d.BindPassword, Filter: d.Filter,
		}
		if d.CAFile != "" {
			text, err := os.ReadFile(d.CAFile)
			if err != nil {
				return nil, fmt.Errorf("directories.%s.ca_file: %w", id, err)
			}
			cfg.RootCAs = x509.NewCertPool()
			if !cfg.RootCAs.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("directories.%s.ca_file: %w", id, errors.New("no certificate in PEM form"))
			}
		}
		if d.PasswordFile != "" {
			text, err := os.ReadFile(d.PasswordFile)
			if err != nil {
				return nil, fmt.Errorf("directories.%s.bind_password_file: %w", id, err)
			}
			cfg.BindPassword = strings.TrimRight(string(text), "\r\n")
		}
		all[id] = cfg
	}
	return all, nil
}

// load reads the settings; GATEHOUSE_CONFIG names the YAML file, if any.
func load(environ []string) (settings, error) {
	var s settings
	err := config.Load(&s, config.FromEnviron(environ))
	return s, err
}
