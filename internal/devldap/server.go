package devldap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jimlambrt/gldap"
)

const (
	// startTimeout bounds the wait for the listener.
	startTimeout = 5 * time.Second
	// drainTimeout bounds how long Close waits for clients to hang up.
	drainTimeout = 500 * time.Millisecond
)

// Person is someone who can sign in. Username and Password are required; the
// password is compared as a SHA-256 digest and kept in no other form.
type Person struct {
	Username, Password, GivenName, LastName, Email string
}

// Config says where to listen and who is there.
type Config struct {
	Addr         string              // a loopback address and port; empty: 127.0.0.1 and a free port
	BaseDN       string              // the suffix of the tree, such as "dc=tapis"
	BindDN       string              // the service account, which may read everything
	BindPassword string              // its password, required
	People       map[string][]Person // by organizational unit: "dev" puts them below ou=dev and the base
	Log          *slog.Logger        // nil: nothing is logged
	Now          func() time.Time    // when the entries were created; nil: the system's clock
}

// Server is a running LDAP server.
type Server struct {
	ldap    *gldap.Server
	log     *slog.Logger // nil: nothing is logged
	addr    string
	base    string
	tree    *tree
	service account
	unknown [sha256.Size]byte // compared with when a name is unknown, and equal to nothing

	keeper  net.Conn      // a connection of our own, open for as long as the server runs; see keep
	stopped chan struct{} // closed when the server listens no more
	failure error         // why, if it was not asked to stop; set before stopped is closed

	mu     sync.RWMutex
	bound  map[int]string // connection id → normalized DN that it is bound as; absent: anonymous
	closed atomic.Bool
	close  sync.Once
}

// account is who binds as what.
type account struct {
	dn     string // normalized
	digest [sha256.Size]byte
}

// Start listens and serves until Close. It refuses addresses that others than
// this machine could reach.
func Start(cfg Config) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := checkLoopback(cfg.Addr); err != nil {
		return nil, err
	}
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.listen(cfg); err != nil {
		return nil, err
	}
	cfg.Log.Info("development directory listening", "addr", s.addr)
	return s, nil
}

func newServer(cfg Config) (*Server, error) {
	service, err := parseDN(cfg.BindDN)
	if err != nil || len(service) == 0 {
		return nil, fmt.Errorf("devldap: the bind DN %q is not a distinguished name", cfg.BindDN)
	}
	if cfg.BindPassword == "" {
		return nil, errors.New("devldap: the bind password is missing")
	}
	t, err := newTree(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		log:  cfg.Log,
		base: cfg.BaseDN, tree: t, bound: map[int]string{}, unknown: randomDigest(),
		service: account{dn: service.key(), digest: sha256.Sum256([]byte(cfg.BindPassword))},
	}
	if _, taken := t.entries[s.service.dn]; taken {
		return nil, fmt.Errorf("devldap: %s is the service account and a person", cfg.BindDN)
	}
	return s, nil
}

// checkLoopback refuses every address but a literal loopback one.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("devldap: the address %q is not a host and port: %w", addr, err)
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("devldap: the address %q is not a loopback address", addr)
	}
	return nil
}

// listen starts the server and waits until it accepts connections.
func (s *Server) listen(cfg Config) error {
	log := &quietLogger{Logger: hclog.NewNullLogger(), listening: make(chan net.Addr, 1), log: cfg.Log}
	server, err := gldap.NewServer(gldap.WithLogger(log), gldap.WithOnClose(s.forget))
	if err != nil {
		return fmt.Errorf("devldap: %w", err)
	}
	mux, err := gldap.NewMux()
	if err != nil {
		return fmt.Errorf("devldap: %w", err)
	}
	if err := errors.Join(mux.Bind(s.bind), mux.Search(s.search), server.Router(mux)); err != nil {
		return fmt.Errorf("devldap: %w", err)
	}
	s.ldap, s.stopped = server, make(chan struct{})
	go func() {
		defer close(s.stopped)
		if s.failure = server.Run(cfg.Addr); s.failure != nil {
			cfg.Log.Error("development directory stopped", "error", s.failure)
		}
	}()
	select {
	case addr := <-log.listening:
		s.addr = addr.String()
	case <-s.stopped:
		return fmt.Errorf("devldap: listen: %w", s.failure)
	case <-time.After(startTimeout):
		return errors.New("devldap: the server did not begin to listen")
	}
	if err := s.keep(); err != nil {
		return errors.Join(fmt.Errorf("devldap: the server does not answer: %w", err), s.Close())
	}
	return nil
}

// keep makes the keeper. While gldap stops, it counts connections down that
// may still be counted up, which is a race as long as the count can be zero:
// the keeper sees to it that it is not, until no connection is accepted any more.
func (s *Server) keep() (err error) {
	dialer := net.Dialer{Timeout: startTimeout}
	if s.keeper, err = dialer.DialContext(context.Background(), "tcp", s.addr); err != nil {
		return err
	}
	if err := s.keeper.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	// A bind without a name and a password, which is refused.
	if _, err := s.keeper.Write([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")); err != nil {
		return err
	}
	if _, err := s.keeper.Read(make([]byte, 64)); err != nil {
		return err
	}
	s.mu.Lock() // The handler held it: what the server did before is done.
	defer s.mu.Unlock()
	return nil
}

// URL returns the address as an ldap:// URL.
func (s *Server) URL() string { return "ldap://" + s.addr }

// Addr returns the host and port that the server listens on.
func (s *Server) Addr() string { return s.addr }

// UserDN returns the template of the people's DNs in an organizational unit,
// with ${username} for the name, as a tenant's LDAP connection states it.
func (s *Server) UserDN(unit string) string {
	return "uid=${username}," + unitDN(unit, s.base)
}

// Close stops listening and refuses everything that is still asked. It waits
// briefly for clients to hang up: gldap cannot close their connections, each
// ends after its next request. Close the clients first.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		s.closed.Store(true)
		drained := make(chan error, 1)
		go func() { drained <- s.ldap.Stop() }()
		<-s.stopped
		if s.keeper != nil {
			_ = s.keeper.Close()
		}
		select {
		case err = <-drained:
		case <-time.After(drainTimeout):
		}
	})
	return err
}

// forget drops what a closed connection was bound as.
func (s *Server) forget(connection int) {
	s.mu.Lock()
	delete(s.bound, connection)
	s.mu.Unlock()
}

// quietLogger swallows what gldap says, except for the two things worth
// knowing: the address it listens on, which it tells in no other way and which
// names the port that ":0" became, and that something failed, without the
// details, which may hold parts of a request.
type quietLogger struct {
	hclog.Logger
	listening chan net.Addr
	log       *slog.Logger
}

// Info implements hclog.Logger.
func (l *quietLogger) Info(_ string, args ...any) {
	for _, arg := range args {
		if addr, ok := arg.(net.Addr); ok {
			select {
			case l.listening <- addr:
			default:
			}
		}
	}
}

// Error implements hclog.Logger.
func (l *quietLogger) Error(msg string, _ ...any) {
	l.log.Debug("development directory failed a request", "reason", msg)
}
