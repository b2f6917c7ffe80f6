package registryclient_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func asSomebody(_ context.Context, req *http.Request) error {
	req.Header.Set("X-Tapis-Token", "somebody")
	return nil
}

func TestOwnListsTheTenantsOfThisSiteWithDrafts(t *testing.T) {
	r := newRegistry(t)
	r.serve("/v3/tenants", tenants)
	records := started(t, testdb.New(t, migrations.Authenticator), r, newClock()).Records(asSomebody)
	site, list, changed, err := records.Own(t.Context())
	if err != nil || site.ID != "main" || site.AdminTenant != "admin" || !site.Primary || !changed {
		t.Fatalf("got %+v, changed %t, %v", site, changed, err)
	}
	ids := map[string]string{}
	for _, record := range list {
		ids[record.ID] = record.Status
	}
	if ids["dev"] != "ACTIVE" || ids["draft"] != "DRAFT" || ids["edge-admin"] != "" || list[0].AdminUser != "ada" {
		t.Errorf("got %+v", list)
	}
	if _, again, changed, err := records.Own(t.Context()); err != nil || changed || len(again) != len(list) {
		t.Errorf("the same again: changed %t, %d tenants, %v", changed, len(again), err)
	}
	r.serve("/v3/tenants", withTenant("more"))
	if _, again, changed, err := records.Own(t.Context()); err != nil || !changed || len(again) != len(list)+1 {
		t.Errorf("one more: changed %t, %d tenants, %v", changed, len(again), err)
	}
	for _, body := range []string{`{"result":7}`, `x`} {
		r.serve("/v3/tenants", body)
		if _, list, _, err := records.Own(t.Context()); err == nil {
			t.Errorf("%s was understood as %+v", body, list)
		}
	}
	r.fail(http.StatusBadGateway)
	if _, _, _, err := records.Own(t.Context()); err == nil {
		t.Error("a registry that fails was believed")
	}
}

func TestOneRecordIsAskedForNow(t *testing.T) {
	r := newRegistry(t)
	records := started(t, testdb.New(t, migrations.Authenticator), r, newClock()).Records(asSomebody)
	r.serve("/v3/tenants/draft", `{"result":{"tenant_id":"draft","site_id":"main","public_key":"PEM"}}`)
	if site, err := records.SiteOf(t.Context(), "draft"); err != nil || site != "main" {
		t.Errorf("got %q, %v", site, err)
	}
	if key, err := records.PublishedKey(t.Context(), "draft"); err != nil || key != "PEM" {
		t.Errorf("got %q, %v", key, err)
	}
	if _, err := records.SiteOf(t.Context(), "none"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
	r.serve("/v3/tenants/owners", `{"result":[{"email":"a@example.org"}]}`)
	r.serve("/v3/tenants/other", `{"result":{"tenant_id":"another","site_id":"main"}}`)
	for _, id := range []string{"owners", "other"} {
		if site, err := records.SiteOf(t.Context(), id); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%s: got %q, %v", id, site, err)
		}
	}
	r.fail(http.StatusInternalServerError)
	if _, err := records.SiteOf(t.Context(), "draft"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
	r.Close()
	if _, err := records.PublishedKey(t.Context(), "draft"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAPublicKeyIsPublishedInTheNameOfTheAccount(t *testing.T) {
	r := newRegistry(t)
	view := started(t, testdb.New(t, migrations.Authenticator), r, newClock())
	var got string
	status := http.StatusOK
	plain := r.Config.Handler
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPut {
			plain.ServeHTTP(w, req)
			return
		}
		body, _ := io.ReadAll(req.Body)
		got = req.URL.EscapedPath() + " " + req.Header.Get("X-Tapis-Token") + " " + req.Header.Get("Content-Type") + " " + string(body)
		w.WriteHeader(status)
	})
	records := view.Records(asSomebody)
	if err := records.PublishKey(t.Context(), "dev", "a\nb"); err != nil {
		t.Fatal(err)
	}
	if want := `/v3/tenants/dev somebody application/json {"public_key":"a\nb"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, status = range []int{301, 401, 403, 404, 500} {
		if err := records.PublishKey(t.Context(), "dev", "a"); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%d: got %v", status, err)
		}
	}
	nobody := view.Records(func(context.Context, *http.Request) error { return io.ErrUnexpectedEOF })
	got = ""
	if err := nobody.PublishKey(t.Context(), "dev", "a"); err == nil || strings.Contains(got, "dev") {
		t.Errorf("published in nobody's name: %v", err)
	}
	if admin, err := records.SiteAdmin("admin"); err != nil || !admin {
		t.Errorf("got %t, %v", admin, err)
	}
	if admin, err := records.SiteAdmin("dev"); err != nil || admin {
		t.Errorf("got %t, %v", admin, err)
	}
}

func TestAConnectionThatTheRegistryTellsUsNoMoreIsTheOneLastSeen(t *testing.T) {
	r := newRegistry(t)
	view := started(t, testdb.New(t, migrations.Authenticator), r, newClock())
	ask := func() string {
		t.Helper()
		got, err := view.LDAPConnection(t.Context(), "people", asSomebody)
		if err != nil {
			return err.Error()
		}
		return got.BindDN
	}
	r.serve("/v3/tenants/ldaps/people", `{"result":{"ldap_id":"people"}}`) // as it is told to strangers
	if got := ask(); !strings.Contains(got, "does not say how to bind") {
		t.Errorf("got %s", got)
	}
	for _, told := range []string{`{"result":{"ldap_id":"people","bind_dn":"cn=a"}}`, `{"result":{"ldap_id":"people"}}`, `x`} {
		r.serve("/v3/tenants/ldaps/people", told)
		if got := ask(); got != "cn=a" {
			t.Errorf("%s: got %s", told, got)
		}
	}
	r.serve("/v3/tenants/ldaps/people", `{"result":{"ldap_id":"people","bind_dn":"cn=b"}}`)
	if got := ask(); got != "cn=b" {
		t.Errorf("got %s", got)
	}
}
