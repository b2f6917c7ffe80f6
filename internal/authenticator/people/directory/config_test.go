package directory_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/people/directory"
)

func validConfig() directory.Config {
	return directory.Config{
		URL: "ldaps://127.0.0.1:1", UserDN: "uid=${username},ou=People,dc=x", BindDN: "cn=y,dc=x", BindPassword: "z",
	}
}

func TestUnusableConfigurationsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*directory.Config){
		"plain text":                   func(c *directory.Config) { c.URL = "ldap://127.0.0.1:1" },
		"StartTLS twice":               func(c *directory.Config) { c.StartTLS = true },
		"no URL":                       func(c *directory.Config) { c.URL = "" },
		"no host":                      func(c *directory.Config) { c.URL = "ldaps://" },
		"another scheme":               func(c *directory.Config) { c.URL = "https://127.0.0.1:1" },
		"a socket":                     func(c *directory.Config) { c.URL = "ldapi:///run/slapd" },
		"a path":                       func(c *directory.Config) { c.URL = "ldaps://127.0.0.1:1/dc=x" },
		"a query":                      func(c *directory.Config) { c.URL = "ldaps://127.0.0.1:1?a" },
		"a user in the URL":            func(c *directory.Config) { c.URL = "ldaps://a:b@127.0.0.1:1" },
		"port 0":                       func(c *directory.Config) { c.URL = "ldaps://127.0.0.1:0" },
		"port 65536":                   func(c *directory.Config) { c.URL = "ldaps://127.0.0.1:65536" },
		"no user DN":                   func(c *directory.Config) { c.UserDN = "" },
		"no DN":                        func(c *directory.Config) { c.UserDN = "People" },
		"a template without base":      func(c *directory.Config) { c.UserDN = "uid=${username}" },
		"a template without attribute": func(c *directory.Config) { c.UserDN = "${username},dc=x" },
		"a template amid the DN":       func(c *directory.Config) { c.UserDN = "ou=a,uid=${username},dc=x" },
		"a template amid a value":      func(c *directory.Config) { c.UserDN = "uid=a${username},dc=x" },
		"a template of two values":     func(c *directory.Config) { c.UserDN = "uid=${username}+cn=a,dc=x" },
		"two templates":                func(c *directory.Config) { c.UserDN = "uid=${username},ou=${username},dc=x" },
		"another placeholder":          func(c *directory.Config) { c.UserDN = "uid=${username},ou=${tenant},dc=x" },
		"a strange attribute":          func(c *directory.Config) { c.UserDN = "u)(d=${username},dc=x" },
		"no bind DN":                   func(c *directory.Config) { c.BindDN = "" },
		"no bind password":             func(c *directory.Config) { c.BindPassword = "" },
		"half a filter":                func(c *directory.Config) { c.Filter = "(mail=*" },
		"two filters":                  func(c *directory.Config) { c.Filter = "(mail=*)(cn=*)" },
		"a bare filter":                func(c *directory.Config) { c.Filter = "mail=*" },
		"a negative pool":              func(c *directory.Config) { c.PoolSize = -1 },
		"a negative timeout":           func(c *directory.Config) { c.Timeout = -1 },
		"a negative dial timeout":      func(c *directory.Config) { c.DialTimeout = -1 },
		"a long memory":                func(c *directory.Config) { c.EntryTTL = 61 * time.Second },
	} {
		cfg := validConfig()
		change(&cfg)
		if d, err := directory.New(cfg, nil); err == nil {
			_ = d.Close()
			t.Errorf("accepted %s", name)
		} else if strings.Contains(err.Error(), "a:b") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// Nobody listens on port 1, and nothing is asked there.
func TestUsableConfigurationsAreAcceptedWithoutConnecting(t *testing.T) {
	for _, change := range []func(*directory.Config){
		func(*directory.Config) {},
		func(c *directory.Config) { c.URL = "ldaps://[::1]" },
		func(c *directory.Config) { c.URL = "ldap://directory.example/"; c.StartTLS = true },
		func(c *directory.Config) { c.URL = "ldap://127.0.0.1:1"; c.AllowPlaintext = true },
		func(c *directory.Config) { c.UserDN = " uid = ${username} , ou=People,dc=x" },
		func(c *directory.Config) { c.UserDN = "ou=People,dc=x" },
		func(c *directory.Config) { c.Filter = "(&(mail=*)(!(employeeType=former)))" },
		func(c *directory.Config) { c.BindDN = "service@example.org" },
	} {
		cfg := validConfig()
		change(&cfg)
		d, err := directory.New(cfg, nil)
		if err != nil {
			t.Errorf("got %v for %s, %s", err, cfg.URL, cfg.UserDN)
			continue
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
