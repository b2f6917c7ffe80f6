package tenantconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/recent"
	"gatehouse/internal/seal"
)

const (
	// freshFor is how long settings are believed, and so how late a change by
	// another replica is noticed.
	freshFor = 2 * time.Second
	// maxTenants bounds of how many tenants settings are remembered.
	maxTenants = 10_000
	// maxMember is the longest that one setting may be, in bytes of JSON.
	maxMember = 16 << 10
)

// Deps are what a Service uses.
type Deps struct {
	DB         *database.DB
	Box        *seal.Box
	GrantTypes []string // that there are
	Now        func() time.Time
	Log        *slog.Logger
}

// Service reads, keeps and changes the settings of all tenants.
type Service struct {
	store  store
	vault  vault
	schema func() (*jsonschema.Schema, error)
	now    func() time.Time
	log    *slog.Logger

	changing sync.Mutex                    // what is remembered follows the order in which changes are stored
	fresh    *recent.Map[string, Settings] // by tenant
	decoded  *recent.Map[string, Settings] // by the text that they are stored as
}

// New returns a Service.
func New(d Deps) *Service {
	return &Service{
		store: store{d.DB}, vault: vault{d.Box}, now: d.Now, log: d.Log,
		fresh:   recent.New[string, Settings](maxTenants, freshFor),
		decoded: recent.New[string, Settings](maxTenants, recent.Unlimited),
		schema:  sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(d.GrantTypes) }),
	}
}

// For returns the settings of a tenant.
func (s *Service) For(ctx context.Context, tenantID string) (Settings, error) {
	now := s.now()
	if settings, found := s.fresh.Find(tenantID, now); found {
		return settings, nil
	}
	turn := s.fresh.Turn()
	r, err := s.store.load(ctx, tenantID)
	if err != nil {
		return Settings{}, apierr.DatabaseAway(err)
	}
	settings, err := s.settings(r)
	if err == nil {
		s.fresh.Keep(tenantID, settings, now, turn)
	}
	return settings, err
}

// Config is the whole configuration of a tenant, with masks for its secrets.
type Config struct {
	Values

	TenantID  string
	Updated   time.Time // zero: never
	UpdatedBy string
}

// Get returns the configuration of a tenant, read afresh.
func (s *Service) Get(ctx context.Context, tenantID string) (Config, error) {
	r, err := s.store.load(ctx, tenantID)
	if err != nil {
		return Config{}, apierr.DatabaseAway(err)
	}
	return s.config(r)
}

// Change is what shall change of a configuration: members by their names on
// the wire. What is absent stays; null brings the default back; the mask
// leaves a secret as it is. Members that do not exist are ignored.
type Change map[string]json.RawMessage

// Update changes the configuration of a tenant on behalf of by, at once in
// this process and within two seconds in others. Changes that come at the
// same time are carried out one after the other, and none is lost.
func (s *Service) Update(ctx context.Context, tenantID, by string, change Change) (Config, error) {
	change = maps.Clone(change)
	maps.DeleteFunc(change, func(name string, _ json.RawMessage) bool { return !slices.Contains(members, name) })
	if err := s.check(change); err != nil {
		return Config{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	var after row
	var names []string
	err := s.store.db.InTx(ctx, func(ctx context.Context) error {
		before, err := s.store.lock(ctx, tenantID)
		if err != nil {
			return err
		}
		after, names, err = s.changed(before, change)
		if err != nil || len(names) == 0 {
			return err
		}
		after.LastUpdateTime, after.LastUpdateBy = database.At(s.now()), by
		return s.store.save(ctx, after)
	})
	if err != nil {
		return Config{}, apierr.DatabaseAway(err)
	}
	config, err := s.config(after)
	if err != nil {
		return Config{}, err
	}
	if len(names) > 0 {
		s.log.InfoContext(ctx, "tenant configuration changed",
			slog.String("tenant", tenantID), slog.String("by", by), slog.Any("fields", names))
	}
	settings, err := s.settings(after)
	if err != nil {
		return Config{}, err
	}
	s.fresh.Forget()
	s.fresh.Keep(tenantID, settings, s.now(), s.fresh.Turn())
	return config, nil
}

// check validates what is sent by itself.
func (s *Service) check(change Change) error {
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if n := len(change[name]); n > maxMember {
			return apierr.Invalidf("The field %s must have at most %d bytes of JSON, not %d.", name, maxMember, n)
		}
	}
	text, err := json.Marshal(change)
	if err != nil {
		return apierr.Invalidf("Unable to parse message payload: is it JSON?")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return apierr.Invalidf("Unable to parse message payload: is it JSON?")
	}
	schema, err := s.schema()
	if err != nil {
		return apierr.Wrap(err, "read the schemas of the configuration")
	}
	if err := schema.Validate(value); err != nil {
		return invalid(err)
	}
	if err := json.Unmarshal(text, &Values{}); err != nil { // such as 60.0, which JSON Schema takes for an integer
		return apierr.Invalidf("The lifetimes must be written as whole numbers of seconds.")
	}
	return doubled(value)
}

// doubled refuses two identity providers of one id, which no schema can.
func doubled(value any) error {
	at := value
	for _, name := range []string{"custom_idp_configuration", "multi_idps", "idps"} {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	idps, _ := at.([]any)
	seen := map[any]bool{}
	for i, idp := range idps {
		object, _ := idp.(map[string]any)
		id := fmt.Sprint(object["idp_id"])
		if seen[id] {
			return apierr.Invalidf("The field custom_idp_configuration.multi_idps.idps[%d].idp_id is the same as another's.", i)
		}
		seen[id] = true
	}
	return nil
}

// changed returns a row after a change, and the names of the members that are
// different then.
func (s *Service) changed(before row, change Change) (row, []string, error) {
	doc, err := before.document()
	if err != nil {
		return row{}, nil, err
	}
	old := maps.Clone(doc)
	for name, sent := range change {
		if string(sent) == "null" {
			delete(doc, name)
			continue
		}
		if doc[name], err = s.vault.seal(before.TenantID, name, sent, old[name]); err != nil {
			return row{}, nil, err
		}
	}
	var names []string
	for _, name := range members {
		if !bytes.Equal(old[name], doc[name]) {
			names = append(names, name)
		}
	}
	if err := consistent(old, doc); err != nil {
		return row{}, nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return row{}, nil, apierr.Wrap(err, "encode settings of tenant "+before.TenantID)
	}
	after := before
	after.Settings = string(text)
	return after, names, nil
}

// consistent checks what several members have to do with each other.
func consistent(old, doc document) error {
	v, err := doc.values()
	if err != nil {
		return apierr.Wrap(err, "read the changed settings")
	}
	for _, pair := range []struct {
		name    string
		ttl     int64
		maximum string
		most    int64
	}{
		{"default_access_token_ttl", v.AccessTTL, "max_access_token_ttl", v.MaxAccessTTL},
		{"default_refresh_token_ttl", v.RefreshTTL, "max_refresh_token_ttl", v.MaxRefreshTTL},
	} {
		if pair.ttl > pair.most {
			return apierr.Invalidf("The field %s (%d) must not be more than %s (%d).", pair.name, pair.ttl, pair.maximum, pair.most)
		}
	}
	if bytes.Equal(old["token_url"], doc["token_url"]) || v.TokenURL == nil {
		return nil
	}
	for _, name := range members {
		if isSecret(name) && doc[name] != nil && bytes.Equal(old[name], doc[name]) {
			return apierr.Invalidf("The field %s must be sent again, or cleared, because token_url changes.", name)
		}
	}
	return nil
}

// config returns a row as it may be shown.
func (s *Service) config(r row) (Config, error) {
	doc, err := r.document()
	if err != nil {
		return Config{}, err
	}
	for name, raw := range doc {
		if doc[name], err = s.vault.show(name, raw); err != nil {
			return Config{}, apierr.Wrap(err, "show settings of tenant "+r.TenantID)
		}
	}
	v, err := doc.values()
	if err != nil {
		return Config{}, apierr.Wrap(err, "decode settings of tenant "+r.TenantID)
	}
	return Config{Values: v, TenantID: r.TenantID, Updated: r.LastUpdateTime.Time(), UpdatedBy: r.LastUpdateBy}, nil
}

// Secret returns one member of a tenant's configuration with the secrets in
// it, such as mfa_config or custom_idp_configuration, for those who need them
// to ask the service that it names; null when the tenant has none.
func (s *Service) Secret(ctx context.Context, tenantID, name string) (json.RawMessage, error) {
	r, err := s.store.load(ctx, tenantID)
	if err != nil {
		return nil, apierr.DatabaseAway(err)
	}
	doc, err := r.document()
	if err != nil {
		return nil, err
	}
	opened, err := s.vault.open(tenantID, name, doc[name])
	if err != nil {
		return nil, apierr.Wrap(err, "open settings of tenant "+tenantID)
	}
	return opened, nil
}

func (r row) document() (document, error) {
	doc := document{}
	if err := json.Unmarshal([]byte(r.Settings), &doc); err != nil {
		return nil, apierr.Wrap(err, "decode settings of tenant "+r.TenantID)
	}
	if doc == nil { // the text null
		doc = document{}
	}
	return doc, nil
}

// settings returns what a row means, decoded when its text is a new one.
func (s *Service) settings(r row) (Settings, error) {
	settings, found := s.decoded.Find(r.Settings, time.Time{})
	if found {
		return settings, nil
	}
	doc, err := r.document()
	if err != nil {
		return Settings{}, err
	}
	v, err := doc.values()
	if err == nil {
		settings, err = v.settings()
	}
	if err != nil {
		return Settings{}, apierr.Wrap(err, "decode settings of tenant "+r.TenantID)
	}
	s.decoded.Keep(r.Settings, settings, time.Time{}, 0)
	return settings, nil
}
