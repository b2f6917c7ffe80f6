package tenancy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

const (
	// missEvery is how often an unknown host may cause a look at the registry.
	missEvery = 5 * time.Second
	// fetchTimeout bounds one look.
	fetchTimeout = 10 * time.Second
	// maxAnswer bounds what is read of a registry answer, in bytes.
	maxAnswer = 64 << 20
)

// The two lists that make the view.
const (
	sitesPath   = "/v3/sites"
	tenantsPath = "/v3/tenants"
)

// Deps are what a Registry uses.
type Deps struct {
	DB      *database.DB
	Client  *http.Client
	BaseURL string        // where the registry is
	SiteID  string        // the site that this authenticator serves
	Poll    time.Duration // how often the registry is asked for changes
	Now     func() time.Time
	Log     *slog.Logger
}

// Registry is the authenticator's view of the registry.
type Registry struct {
	deps    Deps
	store   store
	view    atomic.Pointer[view]
	asking  singleflight.Group
	fetchMu sync.Mutex // serialises refresh: guards answers
	answers map[string]viewRow
	missed  atomic.Int64 // when an unknown host last caused a look, in microseconds
}

// New returns a Registry that knows nothing yet; Start fills it.
func New(d Deps) *Registry {
	client := *d.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would carry a service token elsewhere
	}
	d.Client = &client
	return &Registry{deps: d, store: store{d.DB}, answers: map[string]viewRow{}}
}

// Start loads the remembered view, asks the registry once, and keeps asking
// in the background until ctx ends. The registry may be away.
func (r *Registry) Start(ctx context.Context) error {
	remembered, err := r.store.load(ctx)
	if err != nil {
		return err
	}
	if remembered[sitesPath].Body != "" && remembered[tenantsPath].Body != "" {
		if v, err := r.parse(remembered); err == nil {
			r.fetchMu.Lock()
			r.answers = remembered
			r.fetchMu.Unlock()
			r.view.Store(v)
		} else {
			r.deps.Log.WarnContext(ctx, "remembered registry view is not usable", slog.Any("error", err))
		}
	}
	r.refreshAndLog(ctx)
	go r.poll(ctx)
	return nil
}

func (r *Registry) poll(ctx context.Context) {
	tick := time.NewTicker(r.deps.Poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.refreshAndLog(ctx)
		}
	}
}

func (r *Registry) refreshAndLog(ctx context.Context) {
	if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
		r.deps.Log.WarnContext(ctx, "registry not refreshed", slog.Any("error", err))
	}
}

// Ready fails until the registry has been seen once.
func (r *Registry) Ready() error {
	if r.view.Load() == nil {
		return errors.New("the registry has not been seen yet")
	}
	return nil
}

// ForHost returns the active tenant that a Host header names. A host that is
// not known may cause one look at the registry every few seconds.
func (r *Registry) ForHost(ctx context.Context, host string) (Tenant, error) {
	t, found, err := find(ctx, r, func(v *view) (Tenant, bool) { return v.tenantFor(host) })
	if err != nil {
		return Tenant{}, err
	}
	if found {
		return served(t)
	}
	return Tenant{}, apierr.New(apierr.NotFound,
		"No tenant is known at the host of this request; check the base URL. GET /v3/tenants lists those of all tenants.")
}

// find looks something up in the view. What is not there may cause one look at
// the registry every few seconds. It fails while there is no view at all.
func find[T any](ctx context.Context, r *Registry, in func(*view) (T, bool)) (T, bool, error) {
	v := r.view.Load()
	if v != nil {
		if found, ok := in(v); ok {
			return found, true, nil
		}
	}
	now := r.deps.Now().UnixMicro()
	last := r.missed.Load()
	if now-last >= missEvery.Microseconds() && r.missed.CompareAndSwap(last, now) {
		if err := r.Refresh(ctx); err != nil {
			r.deps.Log.WarnContext(ctx, "registry not refreshed", slog.Any("error", err))
		}
		v = r.view.Load()
	}
	if v == nil {
		var none T
		return none, false, apierr.Away(r.Ready(), "The tenant registry")
	}
	found, ok := in(v)
	return found, ok, nil
}

// Served returns an active tenant of the site that is served here.
func (r *Registry) Served(ctx context.Context, id string) (Tenant, error) {
	t, found, err := r.Active(ctx, id)
	switch {
	case err != nil:
		return Tenant{}, err
	case !found:
		return Tenant{}, apierr.New(apierr.NotFound, "There is no active tenant %s.", id)
	}
	return served(t)
}

func served(t Tenant) (Tenant, error) {
	if !t.OwnedByThisOne {
		return Tenant{}, apierr.New(apierr.Forbidden, "The tenant %s is not served here; it belongs to another site.", t.ID)
	}
	return t, nil
}

// Refresh asks the registry for changes now. When it is away, the view stays.
func (r *Registry) Refresh(ctx context.Context) error {
	_, err, _ := r.asking.Do("refresh", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return nil, r.refresh(ctx)
	})
	return err
}

func (r *Registry) refresh(ctx context.Context) error {
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	answers, changed := map[string]viewRow{}, false
	for _, path := range []string{sitesPath, tenantsPath} {
		answer, isNew, err := r.fetch(ctx, path, r.answers[path], nil)
		if err != nil {
			return err
		}
		answers[path] = answer
		changed = changed || isNew
	}
	if !changed && r.view.Load() != nil {
		return nil
	}
	v, err := r.parse(answers)
	if err != nil {
		return err
	}
	r.view.Store(v)
	if len(v.contested) > 0 {
		r.deps.Log.WarnContext(ctx, "several tenants claim the same host, which is served to none", slog.Any("hosts", v.contested))
	}
	err = r.store.db.InTx(ctx, func(ctx context.Context) error {
		for path, a := range answers {
			if err := r.store.save(ctx, path, a.ETag, a.Body, r.deps.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err // answers stays as it was, so that the next look tries again
	}
	r.answers = answers
	return nil
}

// fetch asks the registry for a path, as a service if authorize is given, and
// returns last when nothing has changed since.
func (r *Registry) fetch(ctx context.Context, path string, last viewRow, authorize Authorize) (answer viewRow, isNew bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(r.deps.BaseURL, "/")+path, nil)
	if err != nil {
		return viewRow{}, false, fmt.Errorf("ask registry: %w", err)
	}
	if last.ETag != "" {
		req.Header.Set("If-None-Match", last.ETag)
	}
	if authorize != nil {
		if err := authorize(ctx, req); err != nil {
			return viewRow{}, false, fmt.Errorf("ask registry: %w", err)
		}
	}
	resp, err := r.deps.Client.Do(req)
	if err != nil {
		return viewRow{}, false, fmt.Errorf("ask registry: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusNotModified:
		return last, false, nil
	case http.StatusOK:
	default:
		return viewRow{}, false, fmt.Errorf("the registry answered %s to %s", resp.Status, path)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return viewRow{}, false, fmt.Errorf("read registry answer: %w", err)
	}
	return viewRow{Resource: path, ETag: resp.Header.Get("ETag"), Body: string(body)}, string(body) != last.Body, nil
}

func (r *Registry) parse(answers map[string]viewRow) (*view, error) {
	var sites struct {
		Result []siteJSON `json:"result"`
	}
	if err := json.Unmarshal([]byte(answers[sitesPath].Body), &sites); err != nil {
		return nil, fmt.Errorf("decode sites: %w", err)
	}
	var tenants struct {
		Result []tenantJSON `json:"result"`
	}
	if err := json.Unmarshal([]byte(answers[tenantsPath].Body), &tenants); err != nil {
		return nil, fmt.Errorf("decode tenants: %w", err)
	}
	if sites.Result == nil || tenants.Result == nil {
		return nil, errors.New("the registry answered without a list")
	}
	return newView(r.deps.SiteID, sites.Result, tenants.Result)
}
