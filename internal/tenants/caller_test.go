package tenants

import (
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authn"
)

func TestTheThumbprintIsThatOfTheStandard(t *testing.T) {
	if got, want := authn.Thumbprint(standardKey(t)), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAKeyIDIsTheSameInEveryFormOfTheKey(t *testing.T) {
	want := authn.Thumbprint(&signingKeys()[0].PublicKey)
	for _, text := range []string{wrappedKeys()[0], canonicalKey(t), strings.ReplaceAll(wrappedKeys()[0], "\n", `\n`)} {
		if got, err := KeyID(text); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if _, err := KeyID("no key"); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("no key: got %v", err)
	}
}

func TestTheRealmKnowsActiveTenantsAndTheirSites(t *testing.T) {
	_, s := seeded(t)
	for id, want := range map[string]authn.Tenant{
		"dev":        {ID: "dev", SiteID: "main", Issuer: "http://localhost:8080/v3/tokens"},
		"admin":      {ID: "admin", SiteID: "main", Issuer: "http://127.0.0.1:8080/v3/tokens", SiteAdmin: true},
		"east-admin": {ID: "east-admin", SiteID: "east", Issuer: "https://east-admin.example.org/v3/tokens", SiteAdmin: true},
		"east-one":   {ID: "east-one", SiteID: "east", Issuer: "https://east-one.example.org/v3/tokens"},
		"plan":       {}, "Old": {}, "east-old": {}, "DEV": {}, "": {}, "nobody": {},
	} {
		got, found, err := s.snapshots.Tenant(t.Context(), id)
		if err != nil || got != want || found != (want.ID != "") {
			t.Errorf("%q: got %+v, %v, %v, want %+v", id, got, found, err, want)
		}
	}
	for _, tt := range []struct {
		site, service string
		want          bool
	}{{"main", "tenants", true}, {"main", "jobs", false}, {"east", "security", true}, {"east", "tenants", false}, {
		"nowhere",
		"tenants", false,
	}} {
		if got, err := s.snapshots.RunsItself(t.Context(), tt.site, tt.service); err != nil || got != tt.want {
			t.Errorf("%s at %s: got %v, %v", tt.service, tt.site, got, err)
		}
	}
	if got, err := s.snapshots.PrimarySite(t.Context()); err != nil || got != "main" {
		t.Errorf("the primary site: got %s, %v", got, err)
	}
}

func TestTheRealmFindsAKeyOnlyByItsIDAndTenant(t *testing.T) {
	_, s := seeded(t)
	dev, admin := authn.Thumbprint(&signingKeys()[0].PublicKey), authn.Thumbprint(&signingKeys()[1].PublicKey)
	for _, tt := range []struct {
		tenant, kid string
		want        *rsa.PublicKey
	}{
		{"dev", dev, &signingKeys()[0].PublicKey},
		{"admin", admin, &signingKeys()[1].PublicKey},
		{"dev", admin, nil},
		{"admin", dev, nil},
		{"dev", "", &signingKeys()[0].PublicKey}, // other implementations name no key
		{"dev", "other", nil},
		{"plan", dev, nil},
		{"nobody", dev, nil},
	} {
		for range 2 {
			got, err := s.snapshots.PublicKey(t.Context(), tt.tenant, tt.kid)
			switch {
			case tt.want == nil && (got != nil || !errors.Is(err, authn.ErrUnknownKey)):
				t.Errorf("%s, %s: got %v, %v, want %v", tt.tenant, tt.kid, got, err, authn.ErrUnknownKey)
			case tt.want != nil && (err != nil || !got.Equal(tt.want)):
				t.Errorf("%s, %s: got %v, %v", tt.tenant, tt.kid, got, err)
			}
		}
	}
}

func TestAnEmptyRegistryKnowsNobody(t *testing.T) {
	s := empty(t)
	_, err := s.caller(t.Context(), token(t, "admin", nil), authn.Subject{TenantID: "admin", Username: "x"})
	if err == nil || authn.IsRefusal(err) || !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v, want that it cannot be told", err)
	}
}

func TestARealmWhoseDatabaseIsAwayRefusesNobody(t *testing.T) {
	db := newDB(t)
	s := newService(t, db, atNoon)
	_ = db.Close()
	ctx := t.Context()
	_, _, tenantErr := s.snapshots.Tenant(ctx, "dev")
	_, siteErr := s.snapshots.PrimarySite(ctx)
	_, runsErr := s.snapshots.RunsItself(ctx, "main", "tenants")
	_, keyErr := s.snapshots.PublicKey(ctx, "dev", "x")
	for _, err := range []error{tenantErr, siteErr, runsErr, keyErr} {
		if err == nil || authn.IsRefusal(err) {
			t.Errorf("got %v", err)
		}
	}
}
