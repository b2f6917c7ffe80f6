package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/internal/config"
	"gatehouse/internal/program"
	"gatehouse/internal/seal"
)

// settings configure the authenticator, from a YAML file and the environment.
type settings struct {
	program.Settings

	SiteID           string        `key:"site_id" env:"GATEHOUSE_SITE_ID" required:"true" doc:"Site whose tenants are served."`
	AdminTenantID    string        `key:"admin_tenant_id" env:"GATEHOUSE_ADMIN_TENANT_ID" default:"admin" doc:"Administrative tenant of that site, to which service accounts belong."`
	MasterKey        string        `key:"master_key" env:"GATEHOUSE_MASTER_KEY" secret:"true" required:"true" doc:"Key that seals secrets at rest: 32 random bytes in hexadecimal or base64."`
	ClientKeyDisplay string        `key:"client_key_display" env:"GATEHOUSE_CLIENT_KEY_DISPLAY" default:"owner" doc:"Who sees the key of an OAuth client after its creation: owner, or nobody with once."`
	TokenRetention   time.Duration `key:"token_retention" env:"GATEHOUSE_TOKEN_RETENTION" default:"168h" doc:"How long the record of a token is kept after it expired."`

	Session  sessionSettings  `key:"session"`
	Registry registrySettings `key:"registry"`
	LDAP     ldapSettings     `key:"ldap"`
	Tokens   tokenSettings    `key:"tokens"`
}

type sessionSettings struct {
	Idle     time.Duration `key:"idle" env:"GATEHOUSE_SESSION_IDLE" default:"15m" doc:"How long a browser session lasts that is not used."`
	Lifetime time.Duration `key:"lifetime" env:"GATEHOUSE_SESSION_LIFETIME" default:"8h" doc:"How long a browser session lasts at all."`
}

type registrySettings struct {
	URL  string        `key:"url" env:"GATEHOUSE_REGISTRY_URL" required:"true" doc:"Where the registry of sites and tenants is, without the path."`
	Poll time.Duration `key:"poll" env:"GATEHOUSE_REGISTRY_POLL" default:"5s" doc:"How often the registry is asked for changes."`
}

type ldapSettings struct {
	CAFile string `key:"ca_file" env:"GATEHOUSE_LDAP_CA_FILE" doc:"PEM file of the authorities that may sign the certificates of LDAP servers; empty: the system's."`
}

// tokenSettings are about the tokens of /v3/tokens. How long those of people
// may live is a setting of their tenant.
type tokenSettings struct {
	AccessTTL     time.Duration `key:"access_ttl" env:"GATEHOUSE_TOKENS_ACCESS_TTL" default:"5m" doc:"Lifetime of an access token from /v3/tokens where none is asked for."`
	RefreshTTL    time.Duration `key:"refresh_ttl" env:"GATEHOUSE_TOKENS_REFRESH_TTL" default:"10m" doc:"Lifetime of a refresh token from /v3/tokens where none is asked for."`
	MaxServiceTTL time.Duration `key:"max_service_ttl" env:"GATEHOUSE_TOKENS_MAX_SERVICE_TTL" default:"8760h" doc:"Longest lifetime of a service's tokens; more is cut to it."`
}

// Validate implements config.Validator.
func (s settings) Validate() []config.Fault {
	faults := s.Faults()
	if _, err := s.box(); s.MasterKey != "" && err != nil {
		faults = append(faults, config.Fault{Key: "master_key", Problem: "must be 32 random bytes in hexadecimal or base64"})
	}
	if s.ClientKeyDisplay != "owner" && s.ClientKeyDisplay != "once" {
		faults = append(faults, config.Fault{Key: "client_key_display", Problem: "must be owner or once"})
	}
	if s.Registry.Poll < time.Second {
		faults = append(faults, config.Fault{Key: "registry.poll", Problem: "must be at least 1s"})
	}
	if s.Session.Idle < time.Minute {
		faults = append(faults, config.Fault{Key: "session.idle", Problem: "must be at least 1m"})
	}
	if s.Session.Lifetime < s.Session.Idle {
		faults = append(faults, config.Fault{Key: "session.lifetime", Problem: "must not be shorter than session.idle"})
	}
	if s.TokenRetention < 0 {
		faults = append(faults, config.Fault{Key: "token_retention", Problem: "must not be negative"})
	}
	return append(faults, s.Tokens.faults()...)
}

func (s tokenSettings) faults() (faults []config.Fault) {
	for _, ttl := range []struct {
		key   string
		value time.Duration
	}{{"tokens.access_ttl", s.AccessTTL}, {"tokens.refresh_ttl", s.RefreshTTL}, {"tokens.max_service_ttl", s.MaxServiceTTL}} {
		if ttl.value < time.Second {
			faults = append(faults, config.Fault{Key: ttl.key, Problem: "must be at least 1s"})
		}
	}
	return faults
}

func (s settings) box() (*seal.Box, error) {
	key, err := seal.ParseKey(s.MasterKey)
	if err != nil {
		return nil, err
	}
	return seal.New(key)
}

// rootCAs reads the authorities of LDAP servers; nil means the system's.
func (s settings) rootCAs() (*x509.CertPool, error) {
	if s.LDAP.CAFile == "" {
		return nil, nil // what crypto/tls takes for the system's
	}
	text, err := os.ReadFile(s.LDAP.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ldap.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("ldap.ca_file: there is no certificate in PEM form in it")
	}
	return pool, nil
}

// load reads the settings; GATEHOUSE_CONFIG names the YAML file, if any.
func load(environ []string) (settings, error) {
	var s settings
	err := config.Load(&s, environ)
	return s, err
}
