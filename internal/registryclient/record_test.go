package registryclient_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/registryclient/registrytest"
)

func TestOwnListsTheTenantsOfThisSiteWithDrafts(t *testing.T) {
	f := onSQLite(t)
	records := f.Records(registrytest.Authorize)
	site, list, changed, err := records.Own(t.Context())
	if err != nil || site.ID != "main" || site.AdminTenant != "admin" || !site.Primary || !changed {
		t.Fatalf("got %+v, changed %t, %v", site, changed, err)
	}
	found := map[string]registryclient.Record{}
	for _, record := range list {
		found[record.ID] = record
	}
	if found["dev"].Status != "ACTIVE" || found["draft"].Status != "DRAFT" || found["edge-admin"].Status != "" ||
		found["dev"].AdminUser != "ada" {
		t.Errorf("got %+v", list)
	}
	if _, again, changed, err := records.Own(t.Context()); err != nil || changed || len(again) != len(list) {
		t.Errorf("the same again: changed %t, %d tenants, %v", changed, len(again), err)
	}
	f.registry.Change("more", nil)
	if _, again, changed, err := records.Own(t.Context()); err != nil || !changed || len(again) != len(list)+1 {
		t.Errorf("one more: changed %t, %d tenants, %v", changed, len(again), err)
	}
	for _, body := range []string{`{"result":7}`, `x`} {
		f.registry.Serve(registrytest.Tenants, body)
		if _, list, _, err := records.Own(t.Context()); err == nil {
			t.Errorf("%s was understood as %+v", body, list)
		}
	}
	f.registry.Fail(http.StatusBadGateway)
	if _, _, _, err := records.Own(t.Context()); err == nil {
		t.Error("a registry that fails was believed")
	}
}

func TestOneRecordIsAskedForNow(t *testing.T) {
	f := onSQLite(t)
	records := f.Records(registrytest.Authorize)
	f.registry.Change("draft", object{"public_key": "PEM"})
	if site, err := records.SiteOf(t.Context(), "draft"); err != nil || site != "main" {
		t.Errorf("got %q, %v", site, err)
	}
	if key, err := records.PublishedKey(t.Context(), "draft"); err != nil || key != "PEM" {
		t.Errorf("got %q, %v", key, err)
	}
	if _, err := records.SiteOf(t.Context(), "none"); !apierr.Is(err, apierr.NotFound) {
		t.Errorf("got %v", err)
	}
	f.registry.Serve("/v3/tenants/owners", `{"result":[{"email":"a@example.org"}]}`)
	f.registry.Serve("/v3/tenants/other", `{"result":{"tenant_id":"another","site_id":"main"}}`)
	for _, id := range []string{"owners", "other"} {
		if site, err := records.SiteOf(t.Context(), id); !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("%s: got %q, %v", id, site, err)
		}
	}
	f.registry.Fail(http.StatusInternalServerError)
	if _, err := records.SiteOf(t.Context(), "draft"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
	f.registry.Close()
	if _, err := records.PublishedKey(t.Context(), "draft"); !apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAPublicKeyIsPublishedInTheNameOfTheAccount(t *testing.T) {
	f := onSQLite(t)
	var got string
	status := http.StatusOK
	f.registry.Before(func(req *http.Request) int {
		if req.Method != http.MethodPut {
			return 0
		}
		body, _ := io.ReadAll(req.Body)
		header := req.Header
		got = req.URL.EscapedPath() + " " + header.Get("X-Tapis-Token") + " " + header.Get("Content-Type") + " " + string(body)
		return status
	})
	records := f.Records(registrytest.Authorize)
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
	nobody := f.Records(func(context.Context, *http.Request) error { return io.ErrUnexpectedEOF })
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
	f := onSQLite(t)
	ask := func() string {
		t.Helper()
		got, err := f.LDAPConnection(t.Context(), "people", registrytest.Authorize)
		if err != nil {
			return err.Error()
		}
		return got.BindDN
	}
	f.registry.Serve("/v3/tenants/ldaps/people", `{"result":{"ldap_id":"people"}}`) // as it is told to strangers
	if got := ask(); !strings.Contains(got, "does not say how to bind") {
		t.Errorf("got %s", got)
	}
	for _, told := range []string{`{"result":{"ldap_id":"people","bind_dn":"cn=a"}}`, `{"result":{"ldap_id":"people"}}`, `x`} {
		f.registry.Serve("/v3/tenants/ldaps/people", told)
		if got := ask(); got != "cn=a" {
			t.Errorf("%s: got %s", told, got)
		}
	}
	f.registry.Serve("/v3/tenants/ldaps/people", `{"result":{"ldap_id":"people","bind_dn":"cn=b"}}`)
	if got := ask(); got != "cn=b" {
		t.Errorf("got %s", got)
	}
}
