package directory_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/devldap"
	"gatehouse/internal/slapdtest"
)

// soon bounds what must not take long, on a slow machine too.
const soon = 5 * time.Second

// startWithAnn runs slapd with one person.
func startWithAnn(t *testing.T) (s *slapdtest.Server, password string) {
	t.Helper()
	password = randomPassword()
	return slapdtest.Start(t, slapdtest.Options{People: []slapdtest.Person{{Username: "ann", Password: password}}}), password
}

func TestEncryptionIsVerified(t *testing.T) {
	s, password := startWithAnn(t)
	stranger := slapdtest.Start(t, slapdtest.Options{Hosts: []string{"directory.example"}})
	plain := slapdConfig(s)
	for kind, cfg := range map[string]directory.Config{"ldaps": encrypted(plain, s), "StartTLS": upgraded(plain)} {
		t.Run(kind, func(t *testing.T) {
			failure := func(cfg directory.Config) error {
				t.Helper()
				_, err := open(t, cfg).Authenticate(t.Context(), "ann", password)
				away(t, err)
				return err
			}
			admitted(t, open(t, cfg), "ann", password, "ann")
			byName := cfg
			byName.URL = strings.Replace(cfg.URL, "127.0.0.1", "localhost", 1)
			admitted(t, open(t, byName), "ann", password, "ann")

			otherAuthority := cfg
			otherAuthority.RootCAs = stranger.CACert()
			_ = failure(otherAuthority)
			systemAuthorities := cfg
			systemAuthorities.RootCAs = nil
			err := failure(systemAuthorities)
			var authority x509.UnknownAuthorityError
			if kind == "ldaps" && !errors.As(err, &authority) {
				t.Errorf("got %v, want that the authority is unknown", err)
			}

			otherName := cfg
			otherName.RootCAs = stranger.CACert()
			otherName.URL = map[string]string{"ldaps": stranger.TLSURL(), "StartTLS": stranger.URL()}[kind]
			if err = failure(otherName); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("got %v, want that the name differs", err)
			}
		})
	}
}

// devldap knows no StartTLS, as a man in the middle would have it.
func TestNothingIsSentWhereTheUpgradeIsRefused(t *testing.T) {
	password := randomPassword()
	s := startDevelopment(t, devldap.Person{Username: "ann", Password: password})
	c := count(t, s.URL())
	cfg := upgraded(developmentConfig(s))
	cfg.URL = c.url
	requests := c.during(func() {
		_, err := open(t, cfg).Authenticate(t.Context(), "ann", password)
		away(t, err)
	})
	if requests != 1 {
		t.Errorf("got %d requests, want the one for StartTLS", requests)
	}
}

func TestConnectionsAreSharedAndBounded(t *testing.T) {
	s, password := startWithAnn(t)
	const size, people = 3, 24
	cfg := slapdConfig(s)
	cfg.PoolSize, cfg.EntryTTL = size, -1
	d := open(t, cfg)
	most := 0
	done := make(chan struct{})
	var working sync.WaitGroup
	for range people {
		working.Go(func() {
			for range 20 {
				admitted(t, d, "ann", password, "ann")
				refused(t, d, "ann", "wrong")
			}
		})
	}
	go func() { working.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
			most = max(most, s.Connections())
		}
	}
	if most > 2*size || most < size {
		t.Errorf("got %d connections at most, want %d to %d", most, size, 2*size)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for begin := time.Now(); s.Connections() > 0; time.Sleep(time.Millisecond) {
		if time.Since(begin) > soon {
			t.Fatalf("%d connections are left after Close", s.Connections())
		}
	}
	_, err := d.Authenticate(t.Context(), "ann", password)
	away(t, err)
}

func TestAStoppedDirectoryIsAwayAndARestartedOneIsBack(t *testing.T) {
	s, password := startWithAnn(t)
	for _, cfg := range []directory.Config{slapdConfig(s), searching(slapdConfig(s))} {
		cfg.EntryTTL = -1
		d := open(t, cfg)
		admitted(t, d, "ann", password, "ann")
		s.Stop()
		for range 2 {
			begin := time.Now()
			_, err := d.Authenticate(t.Context(), "ann", password)
			away(t, err)
			if took := time.Since(begin); took > soon {
				t.Errorf("it took %s to say so", took)
			}
		}
		_, err := d.Profile(t.Context(), "ann")
		away(t, err)
		s.Restart()
		admitted(t, d, "ann", password, "ann")
		admitted(t, d, "ann", password, "ann")
	}
}

func TestARestartBetweenTwoRequestsIsNotNoticed(t *testing.T) {
	s, password := startWithAnn(t)
	cfg := slapdConfig(s)
	cfg.EntryTTL = -1
	d := open(t, cfg)
	for range 3 {
		var together sync.WaitGroup
		for range 8 {
			together.Go(func() { admitted(t, d, "ann", password, "ann") })
		}
		together.Wait()
		s.Stop()
		s.Restart()
	}
	admitted(t, d, "ann", password, "ann")
}

func TestASilentDirectoryIsAwayInTimeAndExhaustsNothing(t *testing.T) {
	s, password := startWithAnn(t)
	plain := slapdConfig(s)
	for kind, cfg := range map[string]directory.Config{"plain": plain, "ldaps": encrypted(plain, s)} {
		t.Run(kind, func(t *testing.T) {
			cfg.PoolSize, cfg.Timeout, cfg.DialTimeout, cfg.EntryTTL = 2, 300*time.Millisecond, 200*time.Millisecond, -1
			d := open(t, cfg)
			admitted(t, d, "ann", password, "ann")
			s.Suspend()
			var asking sync.WaitGroup
			for range 10 {
				asking.Go(func() {
					begin := time.Now()
					_, err := d.Authenticate(t.Context(), "ann", password)
					away(t, err)
					if errors.Is(err, context.Canceled) {
						t.Errorf("got %v, though nobody cancelled", err)
					}
					if took := time.Since(begin); took > cfg.Timeout+soon/2 {
						t.Errorf("it took %s, with a timeout of %s", took, cfg.Timeout)
					}
				})
			}
			asking.Wait()
			s.Resume()
			// On a busy machine the server needs a moment to catch up.
			for range 5 {
				if _, err := d.Authenticate(t.Context(), "ann", password); err == nil {
					break
				}
			}
			for range 5 {
				asking.Go(func() { admitted(t, d, "ann", password, "ann") })
			}
			asking.Wait()
		})
	}
}

func TestACancelledRequestReturnsAtOnce(t *testing.T) {
	s, password := startWithAnn(t)
	cfg := slapdConfig(s)
	cfg.PoolSize = 1
	d := open(t, cfg)
	admitted(t, d, "ann", password, "ann")
	s.Suspend()
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 3 { // One has the connection, the others wait for it.
		asking.Go(func() {
			_, err := d.Authenticate(ctx, "ann", password)
			away(t, err)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that it was cancelled", err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	cancelled := time.Now()
	cancel()
	asking.Wait()
	if took := time.Since(cancelled); took > time.Second {
		t.Errorf("it took %s", took)
	}
	s.Resume()
	admitted(t, d, "ann", password, "ann")
	for range 20 {
		if _, err := d.Authenticate(ctx, "ann", password); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v for a request that was cancelled before", err)
		}
	}
}

// A server that accepts connections and never speaks must not hold a dialer.
func TestMakingAConnectionIsBoundedByItsOwnTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for kind, cfg := range map[string]directory.Config{
		"ldaps": {URL: "ldaps://" + l.Addr().String()}, "StartTLS": {URL: "ldap://" + l.Addr().String(), StartTLS: true},
	} {
		cfg.UserDN, cfg.BindDN, cfg.BindPassword = "uid=${username},dc=x", "cn=y,dc=x", randomPassword()
		cfg.DialTimeout, cfg.Timeout = 100*time.Millisecond, time.Minute
		begin := time.Now()
		_, err := open(t, cfg).Authenticate(t.Context(), "ann", randomPassword())
		away(t, err)
		if took := time.Since(begin); took > soon {
			t.Errorf("%s: it took %s", kind, took)
		}
	}
}

func TestAWrongServicePasswordIsNobodysFaultAndNoSecretIsTold(t *testing.T) {
	s, password := startWithAnn(t)
	for _, cfg := range []directory.Config{slapdConfig(s), searching(slapdConfig(s))} {
		cfg.BindPassword = randomPassword()
		var logged bytes.Buffer
		d, err := directory.New(cfg, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		_, err = d.Authenticate(t.Context(), "ann", password)
		away(t, err)
		_, lookErr := d.Profile(t.Context(), "ann")
		away(t, lookErr)
		told := logged.String() + err.Error() + lookErr.Error()
		if !strings.Contains(logged.String(), "result_code=49") {
			t.Errorf("the log does not say what is wrong: %s", logged.String())
		}
		for _, secret := range []string{cfg.BindPassword, password} {
			if strings.Contains(told, secret) {
				t.Error("a password is told")
			}
		}
		if public := apierr.From(err).Message; !strings.HasPrefix(public, "The directory is not available") {
			t.Errorf("got the message %q", public)
		}
	}
}

func TestManySignInAtOnce(t *testing.T) {
	var people []devldap.Person
	for i := range 20 {
		people = append(people, devldap.Person{Username: "user" + strconv.Itoa(i), Password: randomPassword()})
	}
	d := open(t, developmentConfig(startDevelopment(t, people...)))
	var together sync.WaitGroup
	for i, p := range people {
		together.Go(func() {
			for range 20 {
				admitted(t, d, p.Username, p.Password, p.Username)
				refused(t, d, p.Username, people[(i+1)%len(people)].Password)
			}
		})
	}
	together.Wait()
}

func TestAClosedDevldapIsAway(t *testing.T) {
	password := randomPassword()
	s := startDevelopment(t, devldap.Person{Username: "ann", Password: password})
	d := open(t, developmentConfig(s))
	admitted(t, d, "ann", password, "ann")
	if err := s.Close(); err != nil { // While the Directory still has connections.
		t.Error(err)
	}
	for range 2 {
		_, err := d.Authenticate(t.Context(), "ann", password)
		away(t, err)
	}
}
