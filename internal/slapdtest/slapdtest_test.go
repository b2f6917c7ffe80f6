package slapdtest_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/slapdtest"
)

func addr(url string) string {
	_, host, _ := strings.Cut(url, "://")
	return host
}

func TestTheServerPresentsACertificateOfItsOwn(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	c, err := tls.Dial("tcp", addr(s.TLSURL()), &tls.Config{RootCAs: s.CACert(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if c, err := tls.Dial("tcp", addr(s.TLSURL()), &tls.Config{RootCAs: s.CACert(), ServerName: "other.example"}); err == nil {
		_ = c.Close()
		t.Error("the certificate is valid for any name")
	}
}

func TestAServerStopsAndComesBackOnTheSamePort(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{{Username: "ann", Password: "x"}}})
	before := s.URL()
	s.Stop()
	if c, err := net.Dial("tcp", addr(before)); err == nil {
		_ = c.Close()
		t.Fatal("a stopped server accepts connections")
	}
	s.Restart()
	if s.URL() != before {
		t.Errorf("got %s after the restart, want %s", s.URL(), before)
	}
	c, err := net.Dial("tcp", addr(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := s.Connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func TestASuspendedServerIsSilentUntilItResumes(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	s.Suspend()
	config := &tls.Config{RootCAs: s.CACert(), ServerName: "localhost"}
	if c, err := tls.DialWithDialer(&net.Dialer{Timeout: 200 * time.Millisecond}, "tcp", addr(s.TLSURL()), config); err == nil {
		_ = c.Close()
		t.Error("a suspended server shakes hands")
	}
	s.Resume()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr(s.TLSURL()), config)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
