package tenants

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apidoc"
	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/kernelclient"
	"gatehouse/internal/tenants/field"
)

// Deps are what the registry needs. DB, Log and Now are required.
type Deps struct {
	DB  *database.DB // migrated with migrations.Tenants
	Log *slog.Logger
	Now func() time.Time // the clock of create and update times, and of tokens' expiry

	Authenticator Authenticator // where roles are asked for
}

// Authenticator is how the registry reaches the authenticator of its site.
// Without a URL only those can write who need no role.
type Authenticator struct {
	URL             string // without the path
	ServicePassword string // of the service account tenants
	HTTP            *http.Client
}

// Service is the registry. It is safe for concurrent use.
type Service struct {
	log       *slog.Logger
	now       func() time.Time
	tables    tables
	snapshots *snapshots
	verifier  *authn.Verifier
	access    access

	mu   sync.Mutex
	stop context.CancelFunc // nil until Start
	done chan struct{}
}

// New returns a registry that has not looked into its database yet.
func New(deps Deps) (*Service, error) {
	if deps.DB == nil || deps.Log == nil || deps.Now == nil {
		return nil, errors.New("tenants: a database, a log and a clock are required")
	}
	t := newTables(deps.DB)
	snapshots := newSnapshots(deps.DB, t, deps.Log)
	kernel, err := deps.kernel(snapshots)
	if err != nil {
		return nil, err
	}
	return &Service{
		log: deps.Log, now: deps.Now, tables: t, snapshots: snapshots, verifier: authn.NewVerifier(snapshots, deps.Now),
		access: access{snapshots: snapshots, kernel: kernel},
	}, nil
}

// kernel returns where to ask for roles; nil when it is not configured.
func (d Deps) kernel(s *snapshots) (*kernelclient.Client, error) {
	if d.Authenticator.URL == "" {
		return nil, nil
	}
	return kernelclient.New(kernelclient.Config{
		URL: d.Authenticator.URL, Service: serviceName, Password: d.Authenticator.ServicePassword,
		HTTP: d.Authenticator.HTTP, Now: d.Now,
		Account: func(ctx context.Context) (kernelclient.Account, error) {
			now, err := s.recent(ctx)
			if err != nil {
				return kernelclient.Account{}, err
			}
			site, found := now.primary()
			if !found {
				return kernelclient.Account{}, errNoPrimary
			}
			return kernelclient.Account{SiteID: site.ID, TenantID: site.AdminTenantID}, nil
		},
	})
}

// Mount registers all paths of the registry on r.
func (s *Service) Mount(r gin.IRouter) {
	httpapi.MountHealth(r, "/v3/tenants", s.Ready)
	apidoc.Mount(r, "/v3/tenants", apidoc.Document{Name: "tenants", Path: "/v3/tenants/openapi.yaml"})
	reads := readHandler{snapshots: s.snapshots, access: s.access, tables: s.tables}
	reads.mount(r)
	reads.mountLDAPs(r.Group("", authn.Optional(s.reader)))
	writeHandler{access: s.access, write: s.write}.mount(r.Group("", authn.Require(s.caller)))
}

// IsSecure reports of a host whether a tenant is there, over TLS alone, as far
// as is known without asking the database.
func (s *Service) IsSecure(host string) bool {
	v := s.snapshots.newest.Load()
	return v != nil && v.secure[field.Host("https://"+host)]
}

// Start begins to look for the writes of other replicas, every second until
// ctx ends or Close is called. It returns at once, also when the database is
// away, and fails when called twice.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return errors.New("tenants: started twice")
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.snapshots.watch(ctx)
	}()
	return nil
}

// Close ends what Start began and waits for it. It may be called at any time,
// and again; the database stays open.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	return nil
}

// Ready reports whether the registry can be read from its database.
func (s *Service) Ready(ctx context.Context) error {
	_, err := s.snapshots.current(ctx)
	return err
}
