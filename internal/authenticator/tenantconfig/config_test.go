package tenantconfig_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/tenantconfig"
)

type fixture struct{ *authtest.Fixture }

// each runs test on every database.
func each(t *testing.T, test func(t *testing.T, f fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, fixture{f}) })
}

// onSQLite is for tests in which the database does not matter.
func onSQLite(t *testing.T) *tenantconfig.Service {
	t.Helper()
	return authtest.OnSQLite(t).Settings()
}

// replica is another process on the same database.
func (f fixture) replica() *tenantconfig.Service {
	return tenantconfig.New(tenantconfig.Deps{
		DB: f.DB, Box: f.Box, GrantTypes: grants.Types(), Now: f.Clock.Now, Log: f.Log,
	})
}

// insert stores the settings of a tenant.
func (f fixture) insert(tenantID, settings string) {
	f.T.Helper()
	f.Exec(`INSERT INTO tenant_configs (tenant_id, settings, last_update_time) VALUES (?, ?, 1)`, tenantID, settings)
}

// update changes settings, which must succeed.
func update(t *testing.T, s *tenantconfig.Service, tenantID, change string) tenantconfig.Config {
	t.Helper()
	c, err := s.Update(t.Context(), tenantID, "ada", parse(t, change))
	if err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	return c
}

func parse(t *testing.T, change string) tenantconfig.Change {
	t.Helper()
	var c tenantconfig.Change
	if err := json.Unmarshal([]byte(change), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func wantSettings(t *testing.T, s *tenantconfig.Service, tenantID string, want tenantconfig.Settings) {
	t.Helper()
	got, err := s.For(t.Context(), tenantID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("tenant %s: got %+v, %v; want %+v", tenantID, got, err, want)
	}
}

const day = 24 * time.Hour

// ours differs from the defaults in much.
func ours() tenantconfig.Settings {
	s := tenantconfig.Defaults()
	s.GrantTypes, s.RotateRefresh = []string{oauth2.Password, oauth2.Implicit}, true
	s.AccessTTL, s.RefreshTTL, s.MaxAccessTTL, s.MaxRefreshTTL = time.Hour, 2*day, 3*time.Hour, 4*day
	return s
}

const (
	oursSent = `{"allowable_grant_types":["password","implicit"],"rotate_refresh_tokens":true,"default_access_token_ttl":3600,
"default_refresh_token_ttl":172800,"max_access_token_ttl":10800,"max_refresh_token_ttl":345600}`
	defaultsSent = `{"allowable_grant_types":null,"rotate_refresh_tokens":null,"default_access_token_ttl":null,
"default_refresh_token_ttl":null,"max_access_token_ttl":null,"max_refresh_token_ttl":null}`
)

func TestATenantWithoutSettingsHasTheDefaults(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		got, err := s.For(t.Context(), "dev")
		want := tenantconfig.Settings{
			GrantTypes: []string{"password", "authorization_code", "refresh_token", "device_code"},
			AccessTTL:  14400 * time.Second, RefreshTTL: 31536000 * time.Second,
			MaxAccessTTL: 31536000 * time.Second, MaxRefreshTTL: 63072000 * time.Second,
			UseTokenWebapp: true, ProfileVisibility: "full", ImplicitResponseMode: "fragment", IdentitySource: "ldap",
			People: tenantconfig.People{PageLimit: 100}, DeviceRefreshTTL: 2592000 * time.Second,
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
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		update(t, s, "dev", oursSent)
		wantSettings(t, s, "dev", ours())
		wantSettings(t, f.replica(), "dev", ours())
		update(t, s, "dev", defaultsSent) // and replaced
		wantSettings(t, f.replica(), "dev", tenantconfig.Defaults())
	})
}

func TestSettingsOfOneTenantAreNotThoseOfAnother(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		two := tenantconfig.Defaults()
		two.GrantTypes = []string{oauth2.DeviceCode}
		update(t, s, "one", oursSent)
		update(t, s, "two", `{"allowable_grant_types":["device_code"]}`)
		for _, service := range []*tenantconfig.Service{s, f.replica()} {
			wantSettings(t, service, "one", ours())
			wantSettings(t, service, "two", two)
			for _, other := range []string{"ONE", "one ", "", "three"} {
				wantSettings(t, service, other, tenantconfig.Defaults())
			}
		}
	})
}

func TestAStoredMemberOverridesItsDefaultAlone(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		for tenantID, c := range map[string]struct {
			stored string
			change func(s *tenantconfig.Settings)
		}{
			"nothing": {`{}`, func(*tenantconfig.Settings) {}},
			"null":    {`{"allowable_grant_types":null,"default_access_token_ttl":null}`, func(*tenantconfig.Settings) {}},
			"unknown": {`{"of the future":true}`, func(*tenantconfig.Settings) {}},
			"grants": {`{"allowable_grant_types":["implicit"]}`, func(s *tenantconfig.Settings) {
				s.GrantTypes = []string{"implicit"}
			}},
			"no-grants": {`{"allowable_grant_types":[]}`, func(s *tenantconfig.Settings) { s.GrantTypes = []string{} }},
			"access":    {`{"default_access_token_ttl":60}`, func(s *tenantconfig.Settings) { s.AccessTTL = time.Minute }},
			"refresh":   {`{"default_refresh_token_ttl":86400}`, func(s *tenantconfig.Settings) { s.RefreshTTL = day }},
			"max-refresh": {`{"max_refresh_token_ttl":86400}`, func(s *tenantconfig.Settings) {
				s.MaxRefreshTTL, s.RefreshTTL = day, day
			}},
			"max-access": {`{"max_access_token_ttl":60}`, func(s *tenantconfig.Settings) {
				s.MaxAccessTTL, s.AccessTTL = time.Minute, time.Minute
			}},
			"rotation": {`{"rotate_refresh_tokens":true}`, func(s *tenantconfig.Settings) { s.RotateRefresh = true }},
			"too-much": {`{"default_access_token_ttl":31536001,"default_refresh_token_ttl":63072001}`, func(s *tenantconfig.Settings) {
				s.AccessTTL, s.RefreshTTL = s.MaxAccessTTL, s.MaxRefreshTTL
			}},
			"a-century": {`{"max_refresh_token_ttl":3153600000,"default_refresh_token_ttl":3153600000}`, func(s *tenantconfig.Settings) {
				s.MaxRefreshTTL, s.RefreshTTL = 36500*day, 36500*day
			}},
		} {
			f.insert(tenantID, c.stored)
			want := tenantconfig.Defaults()
			c.change(&want)
			wantSettings(t, f.replica(), tenantID, want)
		}
	})
}

func TestAChangeIsSeenHereAtOnceAndElsewhereAfterTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		here, there := f.Settings(), f.replica()
		wantSettings(t, here, "dev", tenantconfig.Defaults())
		wantSettings(t, there, "dev", tenantconfig.Defaults())
		update(t, here, "dev", oursSent)
		wantSettings(t, here, "dev", ours())
		f.Clock.Advance(2*time.Second - time.Microsecond)
		wantSettings(t, there, "dev", tenantconfig.Defaults()) // it asked a moment ago
		f.Clock.Advance(time.Microsecond)
		wantSettings(t, there, "dev", ours())
		wantSettings(t, here, "dev", ours())
	})
}

func TestAReaderThatWasSlowDoesNotBringOldSettingsBack(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						if _, err := s.For(t.Context(), "dev"); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		for i := range 100 {
			f.Clock.Advance(2 * time.Second) // so that all of them ask the database
			ttl := time.Duration(60+i) * time.Second
			update(t, s, "dev", fmt.Sprintf(`{"default_access_token_ttl": %d}`, int(ttl.Seconds())))
			for range 20 {
				if got, err := s.For(t.Context(), "dev"); err != nil || got.AccessTTL != ttl {
					t.Fatalf("change %d: %s, %v", i, got.AccessTTL, err)
				}
			}
		}
		close(stop)
		readers.Wait()
	})
}

func TestSettingsThatCannotBeReadAreNotTheDefaults(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		for tenantID, stored := range map[string]string{
			"half": `{"allowable_grant_types":[`, "text": `x`, "nothing": ``, "list": `[]`, "type": `{"default_access_token_ttl":"4h"}`,
			"mfa": `{"mfa_config":[]}`, "source": `{"custom_idp_configuration":"x"}`,
			"sources": `{"custom_idp_configuration":{"github":{},"ldap":{}}}`,
			"people":  `{"custom_idp_configuration":{"ldap":[]}}`,
		} {
			f.insert(tenantID, stored)
			got, err := f.replica().For(t.Context(), tenantID)
			if !apierr.Is(err, apierr.Internal) || !reflect.DeepEqual(got, tenantconfig.Settings{}) {
				t.Errorf("%s: got %+v, %v", tenantID, got, err)
			}
		}
	})
}

func TestWithoutADatabaseSettingsAreNotAvailable(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		update(t, s, "dev", oursSent)
		f.Must(f.DB.Close())
		wantSettings(t, s, "dev", ours()) // for as long as they are fresh
		if _, err := s.Update(t.Context(), "dev", "ada", parse(t, defaultsSent)); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("update: %v", err)
		}
		wantSettings(t, s, "dev", ours())
		f.Clock.Advance(2 * time.Second)
		if _, err := s.For(t.Context(), "dev"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("read: %v", err)
		}
	})
}

func TestReadersAndWritersMayMeet(t *testing.T) {
	each(t, func(t *testing.T, f fixture) {
		s := f.Settings()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					if got, err := s.For(t.Context(), "dev"); err != nil || !got.Allows(oauth2.Password) {
						t.Errorf("got %+v, %v", got, err)
					}
					f.Clock.Advance(time.Second)
				}
			})
			all.Go(func() {
				for range 5 {
					if _, err := s.Update(t.Context(), "dev", "ada", parse(t, oursSent)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		wantSettings(t, s, "dev", ours())
	})
}
