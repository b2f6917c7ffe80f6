package devldap_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/devldap"
)

func config() devldap.Config {
	return devldap.Config{BaseDN: "dc=tapis", BindDN: "cn=admin,dc=tapis", BindPassword: "x"}
}

func TestOnlyLoopbackAddressesAreServed(t *testing.T) {
	for _, addr := range []string{
		":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "example.org:389", "127.0.0.1", "unix",
		"127.0.0.1.example.org:0",
	} {
		cfg := config()
		cfg.Addr = addr
		if s, err := devldap.Start(cfg); err == nil {
			_ = s.Close()
			t.Errorf("listens on %q", addr)
		}
	}
}

func TestAFreePortIsTakenAndTold(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:0", "127.0.0.2:0"} {
		cfg := config()
		cfg.Addr = addr
		s, err := devldap.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s.URL() != "ldap://"+s.Addr() || strings.HasSuffix(s.Addr(), ":0") {
			t.Errorf("got %s, %s", s.URL(), s.Addr())
		}
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		cfg.Addr = s.Addr()
		if other, err := devldap.Start(cfg); err == nil {
			_ = other.Close()
			t.Errorf("two servers listen on %s", cfg.Addr)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if c, err := net.Dial("tcp", s.Addr()); err == nil {
			_ = c.Close()
			t.Error("a closed server accepts connections")
		}
		again, err := devldap.Start(cfg)
		if err != nil {
			t.Fatalf("the address is not free after Close: %v", err)
		}
		_ = again.Close()
	}
}

func TestUnusableConfigurationsAreRefused(t *testing.T) {
	ann := devldap.Person{Username: "ann", Password: "x"}
	for name, change := range map[string]func(*devldap.Config){
		"no base":              func(c *devldap.Config) { c.BaseDN = "" },
		"a strange base":       func(c *devldap.Config) { c.BaseDN = "tapis" },
		"no service account":   func(c *devldap.Config) { c.BindDN = "" },
		"no service password":  func(c *devldap.Config) { c.BindPassword = "" },
		"a person twice":       func(c *devldap.Config) { c.People["dev"] = []devldap.Person{ann, {Username: "ANN", Password: "y"}} },
		"a unit twice":         func(c *devldap.Config) { c.People["DEV"] = []devldap.Person{ann} },
		"no name":              func(c *devldap.Config) { c.People["dev"] = []devldap.Person{{Password: "x"}} },
		"no password":          func(c *devldap.Config) { c.People["dev"] = []devldap.Person{{Username: "ann"}} },
		"a NUL in a name":      func(c *devldap.Config) { c.People["dev"] = []devldap.Person{{Username: "a\x00", Password: "x"}} },
		"no text in a name":    func(c *devldap.Config) { c.People["dev"] = []devldap.Person{{Username: "\xff", Password: "x"}} },
		"no name of a unit":    func(c *devldap.Config) { c.People[""] = []devldap.Person{ann} },
		"the service a person": func(c *devldap.Config) { c.BindDN = "uid=ann,ou=dev,dc=tapis" },
	} {
		cfg := config()
		cfg.People = map[string][]devldap.Person{"dev": {ann}}
		change(&cfg)
		if s, err := devldap.Start(cfg); err == nil {
			_ = s.Close()
			t.Errorf("accepted %s", name)
		}
	}
}

func TestNothingButLDAPIsAnswered(t *testing.T) {
	s, err := devldap.Start(config())
	if err != nil {
		t.Fatal(err)
	}
	for _, garbage := range []string{
		"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x00\x05hello", "\x30\x84\x00\x00\x00\x00",
		"\x30\x05\x02\x01\x01\x42\x00", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\xa3\x00",
	} {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatalf("the server is gone before %q: %v", garbage, err)
		}
		if _, err := c.Write([]byte(garbage)); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestClosingWaitsForNobodyWithoutClients(t *testing.T) {
	s, err := devldap.Start(config())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 250*time.Millisecond {
		t.Errorf("closing took %s", took)
	}
}
