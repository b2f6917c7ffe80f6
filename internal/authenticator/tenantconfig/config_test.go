package tenantconfig_test

import (
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tenantconfig"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// clock is a time that only tests move.
type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, test)
}

func put(t *testing.T, s *tenantconfig.Service, tenantID string, settings tenantconfig.Settings) {
	t.Helper()
	if err := s.Put(t.Context(), tenantID, settings); err != nil {
		t.Fatal(err)
	}
}

func wantSettings(t *testing.T, s *tenantconfig.Service, tenantID string, want tenantconfig.Settings) {
	t.Helper()
	got, err := s.For(t.Context(), tenantID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("tenant %s: got %+v, %v; want %+v", tenantID, got, err, want)
	}
}

// insert writes a row as another program could.
func insert(t *testing.T, db *database.DB, tenantID, settings string) {
	t.Helper()
	err := db.Conn(t.Context()).Exec(
		`INSERT INTO tenant_configs (tenant_id, settings, last_update_time) VALUES (?, ?, 1)`, tenantID, settings).Error
	if err != nil {
		t.Fatal(err)
	}
}

const day = 24 * time.Hour

// ours differs from the defaults in everything.
func ours() tenantconfig.Settings {
	return tenantconfig.Settings{
		GrantTypes: []string{tenantconfig.Password, tenantconfig.Implicit}, AccessTTL: time.Hour, RefreshTTL: 2 * day,
		MaxAccessTTL: 3 * time.Hour, MaxRefreshTTL: 4 * day, RotateRefresh: true,
	}
}

func TestATenantWithoutSettingsHasTheDefaults(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := tenantconfig.New(db, newClock().now)
		got, err := s.For(t.Context(), "dev")
		want := tenantconfig.Settings{
			GrantTypes: []string{"password", "authorization_code", "refresh_token", "device_code"},
			AccessTTL:  14400 * time.Second, RefreshTTL: 31536000 * time.Second,
			MaxAccessTTL: 31536000 * time.Second, MaxRefreshTTL: 63072000 * time.Second,
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		for grantType, allowed := range map[string]bool{
			"password": true, "authorization_code": true, "refresh_token": true, "device_code": true, "implicit": false,
			"client_credentials": false, "": false, "PASSWORD": false, "pass": false,
		} {
			if got.Allows(grantType) != allowed {
				t.Errorf("grant type %q: allowed %t, want %t", grantType, !allowed, allowed)
			}
		}
	})
}

func TestSettingsAreKept(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		s := tenantconfig.New(db, c.now)
		put(t, s, "dev", ours())
		wantSettings(t, s, "dev", ours())
		wantSettings(t, tenantconfig.New(db, c.now), "dev", ours())
		put(t, s, "dev", tenantconfig.Defaults()) // and replaced
		wantSettings(t, tenantconfig.New(db, c.now), "dev", tenantconfig.Defaults())
	})
}

func TestSettingsOfOneTenantAreNotThoseOfAnother(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		s := tenantconfig.New(db, c.now)
		two := ours()
		two.GrantTypes, two.RotateRefresh = []string{tenantconfig.DeviceCode}, false
		put(t, s, "one", ours())
		put(t, s, "two", two)
		for _, service := range []*tenantconfig.Service{s, tenantconfig.New(db, c.now)} {
			wantSettings(t, service, "one", ours())
			wantSettings(t, service, "two", two)
			for _, other := range []string{"ONE", "one ", "", "three"} {
				wantSettings(t, service, other, tenantconfig.Defaults())
			}
		}
	})
}

func TestAStoredMemberOverridesItsDefaultAlone(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		for tenantID, c := range map[string]struct {
			stored string
			change func(s *tenantconfig.Settings)
		}{
			"nothing":     {`{}`, func(*tenantconfig.Settings) {}},
			"null":        {`{"allowable_grant_types":null,"default_access_token_ttl":null}`, func(*tenantconfig.Settings) {}},
			"unknown":     {`{"use_ldap":true}`, func(*tenantconfig.Settings) {}},
			"grants":      {`{"allowable_grant_types":["implicit"]}`, func(s *tenantconfig.Settings) { s.GrantTypes = []string{"implicit"} }},
			"no-grants":   {`{"allowable_grant_types":[]}`, func(s *tenantconfig.Settings) { s.GrantTypes = []string{} }},
			"access":      {`{"default_access_token_ttl":60}`, func(s *tenantconfig.Settings) { s.AccessTTL = time.Minute }},
			"refresh":     {`{"default_refresh_token_ttl":86400}`, func(s *tenantconfig.Settings) { s.RefreshTTL = day }},
			"max-refresh": {`{"max_refresh_token_ttl":86400}`, func(s *tenantconfig.Settings) { s.MaxRefreshTTL, s.RefreshTTL = day, day }},
			"max-access":  {`{"max_access_token_ttl":60}`, func(s *tenantconfig.Settings) { s.MaxAccessTTL, s.AccessTTL = time.Minute, time.Minute }},
			"rotation":    {`{"rotate_refresh_tokens":true}`, func(s *tenantconfig.Settings) { s.RotateRefresh = true }},
			"too-much": {`{"default_access_token_ttl":31536001,"default_refresh_token_ttl":63072001}`, func(s *tenantconfig.Settings) {
				s.AccessTTL, s.RefreshTTL = s.MaxAccessTTL, s.MaxRefreshTTL
			}},
			"a-century": {`{"max_refresh_token_ttl":3153600000,"default_refresh_token_ttl":3153600000}`, func(s *tenantconfig.Settings) {
				s.MaxRefreshTTL, s.RefreshTTL = 36500*day, 36500*day
			}},
		} {
			insert(t, db, tenantID, c.stored)
			want := tenantconfig.Defaults()
			c.change(&want)
			wantSettings(t, tenantconfig.New(db, newClock().now), tenantID, want)
		}
	})
}

func TestWhatIsPutIsReadAlikeHereAndElsewhere(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		for tenantID, change := range map[string]func(s *tenantconfig.Settings) (want tenantconfig.Settings){
			"above the maxima": func(s *tenantconfig.Settings) tenantconfig.Settings {
				s.AccessTTL, s.RefreshTTL = 5*time.Hour, 5*day
				want := ours()
				want.AccessTTL, want.RefreshTTL = 3*time.Hour, 4*day
				return want
			},
			"parts of seconds": func(s *tenantconfig.Settings) tenantconfig.Settings {
				s.AccessTTL += 999 * time.Millisecond
				return ours()
			},
			"no grants, nil": func(s *tenantconfig.Settings) tenantconfig.Settings {
				s.GrantTypes = nil
				want := ours()
				want.GrantTypes = []string{}
				return want
			},
			"no grants, empty": func(s *tenantconfig.Settings) tenantconfig.Settings {
				s.GrantTypes = []string{}
				return *s
			},
		} {
			s, settings := tenantconfig.New(db, c.now), ours()
			want := change(&settings)
			put(t, s, tenantID, settings)
			wantSettings(t, s, tenantID, want)
			wantSettings(t, tenantconfig.New(db, c.now), tenantID, want)
		}
	})
}

func TestAListThatWasPutIsTheServicesOwn(t *testing.T) {
	s, settings := tenantconfig.New(testdb.New(t, migrations.Authenticator), newClock().now), ours()
	put(t, s, "dev", settings)
	settings.GrantTypes[0] = tenantconfig.ClientCredentials
	wantSettings(t, s, "dev", ours())
}

func TestAChangeIsSeenHereAtOnceAndElsewhereAfterTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		here, there := tenantconfig.New(db, c.now), tenantconfig.New(db, c.now)
		wantSettings(t, here, "dev", tenantconfig.Defaults())
		wantSettings(t, there, "dev", tenantconfig.Defaults())
		put(t, here, "dev", ours())
		wantSettings(t, here, "dev", ours())
		c.advance(2*time.Second - time.Microsecond)
		wantSettings(t, there, "dev", tenantconfig.Defaults()) // it asked a moment ago
		c.advance(time.Microsecond)
		wantSettings(t, there, "dev", ours())
		wantSettings(t, here, "dev", ours())
	})
}

func TestAReaderThatWasSlowDoesNotBringOldSettingsBack(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := tenantconfig.New(db, newClock().now)
		var once sync.Once
		err := db.Conn(t.Context()).Callback().Query().After("gorm:query").Register("change meanwhile", func(*gorm.DB) {
			once.Do(func() { put(t, s, "dev", ours()) })
		})
		if err != nil {
			t.Fatal(err)
		}
		wantSettings(t, s, "dev", tenantconfig.Defaults()) // read before the change
		wantSettings(t, s, "dev", ours())
	})
}

func TestSettingsThatCannotBeReadAreNotTheDefaults(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		for tenantID, stored := range map[string]string{
			"half": `{"allowable_grant_types":[`, "text": `x`, "nothing": ``, "list": `[]`, "type": `{"default_access_token_ttl":"4h"}`,
		} {
			insert(t, db, tenantID, stored)
			got, err := tenantconfig.New(db, newClock().now).For(t.Context(), tenantID)
			if !apierr.Is(err, apierr.Internal) || !reflect.DeepEqual(got, tenantconfig.Settings{}) {
				t.Errorf("%s: got %+v, %v", tenantID, got, err)
			}
		}
	})
}

func TestWithoutADatabaseSettingsAreNotAvailable(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		s := tenantconfig.New(db, c.now)
		put(t, s, "dev", ours())
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantSettings(t, s, "dev", ours()) // for as long as they are fresh
		if err := s.Put(t.Context(), "dev", tenantconfig.Defaults()); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("put: %v", err)
		}
		wantSettings(t, s, "dev", ours())
		c.advance(2 * time.Second)
		if _, err := s.For(t.Context(), "dev"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestReadersAndWritersMayMeet(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		c := newClock()
		s := tenantconfig.New(db, c.now)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					if got, err := s.For(t.Context(), "dev"); err != nil || !got.Allows(tenantconfig.Password) {
						t.Errorf("got %+v, %v", got, err)
					}
					c.advance(time.Second)
				}
			})
			all.Go(func() {
				for range 5 {
					if err := s.Put(t.Context(), "dev", ours()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		wantSettings(t, s, "dev", ours())
	})
}
