package registryclient

import (
	"bytes"
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
	// unknownEvery is how often something unknown may have the registry asked.
	unknownEvery = 5 * time.Second
	// fetchTimeout bounds one refresh.
	fetchTimeout = 10 * time.Second
	// maxBody bounds what is read of an answer, in bytes.
	maxBody = 64 << 20
)

// The two lists that make the snapshot.
const (
	sitesPath   = "/v3/sites"
	tenantsPath = "/v3/tenants"
)

// Deps are what a Client uses.
type Deps struct {
	DB      *database.DB
	Client  *http.Client
	BaseURL string        // where the registry is
	SiteID  string        // the site that asks
	Poll    time.Duration // how often the registry is asked for changes
	Now     func() time.Time
	Log     *slog.Logger
}

// Client keeps a snapshot of the registry. It is safe for concurrent use.
type Client struct {
	deps      Deps
	store     store
	snapshot  atomic.Pointer[snapshot]
	asking    singleflight.Group
	fetchMu   sync.Mutex // serialises refresh: guards responses
	responses map[string]response
	unknown   atomic.Int64 // when something unknown last had the registry asked, in microseconds
}

// New returns a Client that knows nothing yet; Start fills it.
func New(d Deps) *Client {
	client := *d.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would carry a service token elsewhere
	}
	d.Client = &client
	return &Client{deps: d, store: store{d.DB}, responses: map[string]response{}}
}

// Start loads the remembered snapshot, asks the registry once, and keeps asking
// in the background until ctx ends. The registry may be away.
func (r *Client) Start(ctx context.Context) error {
	remembered, err := r.store.load(ctx)
	if err != nil {
		return err
	}
	if remembered[sitesPath].Body != "" && remembered[tenantsPath].Body != "" {
		if v, err := r.parse(remembered); err == nil {
			r.fetchMu.Lock()
			r.responses = remembered
			r.fetchMu.Unlock()
			r.snapshot.Store(v)
		} else {
			r.deps.Log.WarnContext(ctx, "remembered registry snapshot is not usable", slog.Any("error", err))
		}
	}
	r.refreshAndLog(ctx)
	go r.poll(ctx)
	return nil
}

func (r *Client) poll(ctx context.Context) {
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

func (r *Client) refreshAndLog(ctx context.Context) {
	if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
		r.deps.Log.WarnContext(ctx, "registry not refreshed", slog.Any("error", err))
	}
}

// Ready fails until the registry has been seen once.
func (r *Client) Ready() error {
	if r.snapshot.Load() == nil {
		return errors.New("the registry has not been seen yet")
	}
	return nil
}

// ForHost returns the active tenant that a Host header names. A host that is
// not known may have the registry asked, once every few seconds.
func (r *Client) ForHost(ctx context.Context, host string) (Tenant, error) {
	t, found, err := find(ctx, r, func(v *snapshot) (Tenant, bool) { return v.tenantFor(host) })
	if err != nil {
		return Tenant{}, err
	}
	if found {
		return served(t)
	}
	return Tenant{}, apierr.New(apierr.NotFound,
		"No tenant is known at the host of this request; check the base URL. GET /v3/tenants lists those of all tenants.")
}

// IsSecure reports whether a Host header names a tenant whose base URL has
// https, as far as is known without asking.
func (r *Client) IsSecure(host string) bool {
	v := r.snapshot.Load()
	if v == nil {
		return false
	}
	t, found := v.tenantFor(host)
	return found && strings.HasPrefix(t.BaseURL, "https://")
}

// find looks something up in the snapshot. What is not there may have the
// registry asked, once every few seconds. It fails while there is no snapshot
// at all.
func find[T any](ctx context.Context, r *Client, in func(*snapshot) (T, bool)) (T, bool, error) {
	if v := r.snapshot.Load(); v != nil {
		if found, ok := in(v); ok {
			return found, true, nil
		}
	}
	now := r.deps.Now().UnixMicro()
	last := r.unknown.Load()
	if now-last >= unknownEvery.Microseconds() && r.unknown.CompareAndSwap(last, now) {
		if err := r.Refresh(ctx); err != nil {
			r.deps.Log.WarnContext(ctx, "registry not refreshed", slog.Any("error", err))
		}
	}
	v, err := r.known()
	if err != nil {
		var none T
		return none, false, err
	}
	found, ok := in(v)
	return found, ok, nil
}

// known returns the snapshot, or fails while there is none.
func (r *Client) known() (*snapshot, error) {
	v := r.snapshot.Load()
	if v == nil {
		return nil, apierr.Away(r.Ready(), "The tenant registry")
	}
	return v, nil
}

// Served returns an active tenant of the site that is served here.
func (r *Client) Served(ctx context.Context, id string) (Tenant, error) {
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

// Refresh asks the registry for changes now. When it is away, the snapshot stays.
func (r *Client) Refresh(ctx context.Context) error {
	_, err, _ := r.asking.Do("refresh", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return nil, r.refresh(ctx)
	})
	return err
}

func (r *Client) refresh(ctx context.Context) error {
	r.fetchMu.Lock()
	defer r.fetchMu.Unlock()
	responses, changed := map[string]response{}, false
	for _, path := range []string{sitesPath, tenantsPath} {
		fetched, isNew, err := r.fetch(ctx, path, r.responses[path], nil)
		if err != nil {
			return err
		}
		responses[path] = fetched
		changed = changed || isNew
	}
	if !changed && r.snapshot.Load() != nil {
		return nil
	}
	v, err := r.parse(responses)
	if err != nil {
		return err
	}
	r.snapshot.Store(v)
	if len(v.contested) > 0 {
		r.deps.Log.WarnContext(ctx, "several tenants claim the same host, which is served to none", slog.Any("hosts", v.contested))
	}
	err = r.store.db.InTx(ctx, func(ctx context.Context) error {
		for path, a := range responses {
			if err := r.store.save(ctx, path, a.ETag, a.Body, r.deps.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err // responses stays as it was, so that the next refresh tries again
	}
	r.responses = responses
	return nil
}

// fetch asks the registry for a path, as a service if authorize is given, and
// returns last when nothing has changed since.
func (r *Client) fetch(
	ctx context.Context, path string, last response, authorize Authorize,
) (fetched response, isNew bool, err error) {
	header := http.Header{}
	if last.ETag != "" {
		header.Set("If-None-Match", last.ETag)
	}
	status, etag, body, err := r.send(ctx, http.MethodGet, path, header, nil, authorize)
	if err != nil {
		return response{}, false, err
	}
	switch status {
	case http.StatusNotModified:
		return last, false, nil
	case http.StatusOK:
		return response{Resource: path, ETag: etag, Body: string(body)}, string(body) != last.Body, nil
	}
	return response{}, false, fmt.Errorf("the registry answered %d %s to %s", status, http.StatusText(status), path)
}

// send makes a request, as a service if authorize is given, and reads the body
// of the answer.
func (r *Client) send(
	ctx context.Context, method, path string, header http.Header, body []byte, authorize Authorize,
) (status int, etag string, text []byte, err error) {
	target := strings.TrimRight(r.deps.BaseURL, "/") + path
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, fmt.Errorf("ask registry: %w", err)
	}
	req.Header = header
	if authorize != nil {
		if err := authorize(ctx, req); err != nil {
			return 0, "", nil, fmt.Errorf("ask registry: %w", err)
		}
	}
	resp, err := r.deps.Client.Do(req)
	if err != nil {
		return 0, "", nil, fmt.Errorf("ask registry: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, "", nil, fmt.Errorf("read registry answer: %w", err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), text, nil
}

func (r *Client) parse(responses map[string]response) (*snapshot, error) {
	var sites struct {
		Result []siteJSON `json:"result"`
	}
	if err := json.Unmarshal([]byte(responses[sitesPath].Body), &sites); err != nil {
		return nil, fmt.Errorf("decode sites: %w", err)
	}
	var tenants struct {
		Result []tenantJSON `json:"result"`
	}
	if err := json.Unmarshal([]byte(responses[tenantsPath].Body), &tenants); err != nil {
		return nil, fmt.Errorf("decode tenants: %w", err)
	}
	if sites.Result == nil || tenants.Result == nil {
		return nil, errors.New("the registry answered without a list")
	}
	return newSnapshot(r.deps.SiteID, sites.Result, tenants.Result)
}
