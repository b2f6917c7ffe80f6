package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"

	"gatehouse/internal/authenticator"
	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/authenticator/serviceaccount"
	"gatehouse/internal/database"
	"gatehouse/internal/devldap"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/seal"
	"gatehouse/internal/tenants"
	"gatehouse/migrations"
)

// site is a running development site: both services on one engine.
type site struct {
	engine        *gin.Engine
	registry      *tenants.Service
	authenticator *authenticator.Service
	people        *devldap.Server
	databases     []*database.DB
	plan          plan
	data          dataDir
	newPassword   string // of the service accounts, at the first start only
	stop          context.CancelFunc
	unlock        func()
}

// openSite opens or makes everything below dir and starts the services. The
// caller serves engine and calls close.
func openSite(ctx context.Context, dir dataDir, p plan, log *slog.Logger, now func() time.Time) (_ *site, err error) {
	ctx, stop := context.WithCancel(ctx)
	s := &site{plan: p, data: dir, stop: stop}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.unlock, err = dir.lock(); err != nil {
		return nil, err
	}
	registryDB, authenticatorDB, err := openDatabases(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	s.databases = []*database.DB{registryDB, authenticatorDB}
	master, err := dir.masterKey()
	if err != nil {
		return nil, err
	}
	box, err := seal.New(master)
	if err != nil {
		return nil, err
	}
	isPage := func(path string) bool { return s.authenticator.IsPage(path) }
	if s.engine, err = httpapi.New(httpapi.Options{Version: version, Log: log, IsPage: isPage, LocalOrigins: true}); err != nil {
		return nil, err
	}
	password, isNew, err := dir.servicePassword()
	if err != nil {
		return nil, err
	}
	if isNew {
		s.newPassword = password
	}
	if s.registry, err = tenants.New(tenants.Deps{DB: registryDB, Log: log, Now: now, Authenticator: tenants.Authenticator{
		URL: "http://authenticator", ServicePassword: password, HTTP: &http.Client{Transport: loopback{s.engine}},
	}}); err != nil {
		return nil, err
	}
	s.authenticator, err = authenticator.New(authenticator.Deps{
		DB: authenticatorDB, Box: box, Log: log, Now: now,
		Registry: &http.Client{Transport: loopback{s.engine}}, RegistryURL: "http://registry", RegistryPoll: time.Second,
		SiteID: siteID, TokenRetention: 7 * 24 * time.Hour, ShowClientKeys: true,
		LDAPPlaintext: true, SessionIdle: 15 * time.Minute, SessionLifetime: 8 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if err := s.authenticator.Keys.CheckMasterKey(ctx); errors.Is(err, keys.ErrMasterKey) {
		return nil, fmt.Errorf("%s: %w", dir.path("master-key"), err)
	} else if err != nil {
		return nil, err
	}
	bindPassword := seal.NewSecret() // a new one at each start: the directory lives no longer
	s.people, err = devldap.Start(devldap.Config{
		Addr: dir.directoryAddress(ctx), BaseDN: baseDN, BindDN: bindDN, BindPassword: bindPassword, People: p.units(),
		Log: log, Now: peopleSince,
	})
	if err != nil {
		return nil, fmt.Errorf("start embedded directory: %w", err)
	}
	if err := dir.keepDirectoryAddress(s.people.Addr()); err != nil {
		return nil, err
	}
	bindSecret := serviceaccount.Secret(adminTenant, bindCredential)
	if err := s.authenticator.Kernel.SetSecret(ctx, bindSecret, map[string]string{"password": bindPassword}); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// start mounts the routes, writes what a site begins with, and lets the
// background work begin.
func (s *site) start(ctx context.Context) error {
	s.registry.Mount(s.engine)
	s.authenticator.Mount(s.engine)
	httpapi.MountProbes(s.engine, s.ready)
	welcome, err := s.welcome()
	if err != nil {
		return err
	}
	httpapi.Get(s.engine, "/", welcome)
	if err := s.seed(ctx); err != nil {
		return err
	}
	if err := s.registry.Start(ctx); err != nil {
		return err
	}
	return s.authenticator.Start(ctx)
}

// openDatabases opens and migrates the databases of both services.
func openDatabases(ctx context.Context, dir dataDir, log *slog.Logger) (registry, auth *database.DB, err error) {
	if err := dir.prepare(); err != nil {
		return nil, nil, err
	}
	open := func(set migrations.Set) (*database.DB, error) {
		db, err := database.Open(ctx, dir.dsn(set.Service), log)
		if err != nil {
			return nil, err
		}
		if _, err := db.Migrate(ctx, set); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		return db, nil
	}
	if registry, err = open(migrations.Tenants); err != nil {
		return nil, nil, err
	}
	if auth, err = open(migrations.Authenticator); err != nil {
		return nil, nil, errors.Join(err, registry.Close())
	}
	return registry, auth, nil
}

// seed makes the keys and writes the site, its tenants and its service
// accounts. It changes nothing that is there already but the addresses.
func (s *site) seed(ctx context.Context) error {
	keys := make([]string, len(s.plan.tenants))
	making, makingCtx := errgroup.WithContext(ctx)
	for i, t := range s.plan.tenants {
		making.Go(func() (err error) {
			keys[i], err = s.authenticator.Keys.Ensure(makingCtx, t.id)
			return err
		})
	}
	if err := making.Wait(); err != nil {
		return err
	}
	byTenant := map[string]string{}
	for i, t := range s.plan.tenants {
		byTenant[t.id] = keys[i]
	}
	seed, err := s.plan.seed(s.people, byTenant)
	if err != nil {
		return err
	}
	if err := s.registry.Seed(ctx, seed); err != nil {
		return err
	}
	password, _, err := s.data.servicePassword() // made before
	if err != nil {
		return err
	}
	for _, name := range serviceAccounts {
		if err := s.authenticator.Kernel.SetPassword(ctx, adminTenant, name, password); err != nil {
			return fmt.Errorf("service account %s: %w", name, err)
		}
	}
	return nil
}

// ready holds when both services can work.
func (s *site) ready(ctx context.Context) error {
	return errors.Join(s.registry.Ready(ctx), s.authenticator.Ready(ctx))
}

// close ends the background work and gives everything back.
func (s *site) close() {
	s.stop()
	if s.authenticator != nil {
		_ = s.authenticator.Close()
	}
	if s.registry != nil {
		_ = s.registry.Close()
	}
	if s.people != nil {
		_ = s.people.Close()
	}
	for _, db := range s.databases {
		_ = db.Close()
	}
	if s.unlock != nil {
		s.unlock()
	}
}
