package main

import (
	"net/http"
	"strings"
	"testing"
)

func (r *running) clients(method string, p person, token, path, body string) reply {
	r.t.Helper()
	h := header{"X-Tapis-Token": token}
	if body != "" {
		h["Content-Type"] = asJSON
	}
	return r.send(method, p.host, "/v3/oauth2/clients"+path, h, body)
}

func TestAClientLivesFromRegistrationToDeletion(t *testing.T) {
	r := start(t)
	token := r.login(r.ada)
	made := r.clients(http.MethodPost, r.ada, token, "", `{"client_id": "portal", "callback_url": "https://portal.example.org/cb"}`).
		want(t, 201, "").result(t)
	if made["owner"] != "ada" || made["tenant_id"] != "dev" || made["active"] != true || made["display_name"] != "portal" ||
		made["description"] != "" || len(made["client_key"].(string)) != 43 {
		t.Errorf("created %v", made)
	}
	r.clients(http.MethodPost, r.bob, r.login(r.bob), "", `{"client_id": "portal"}`).want(t, 409, "conflict")

	got := r.clients(http.MethodGet, r.ada, token, "/portal", "").want(t, 200, "").result(t)
	if got["client_key"] != made["client_key"] {
		t.Error("the owner does not see the key")
	}
	change := `{"callback_url": "http://localhost:8000/cb", "display_name": "My portal"}`
	changed := r.clients(http.MethodPut, r.ada, token, "/portal", change).want(t, 200, "").result(t)
	if changed["callback_url"] != "http://localhost:8000/cb" || changed["display_name"] != "My portal" {
		t.Errorf("updated %v", changed)
	}
	for _, field := range []string{"client_id", "client_key", "description"} {
		got := r.clients(http.MethodPut, r.ada, token, "/portal", `{"`+field+`": "x"}`).want(t, 400, "invalid_request")
		if !strings.Contains(got.raw, field) {
			t.Errorf("the error does not name %s: %s", field, got.raw)
		}
	}
	r.clients(http.MethodPost, r.ada, token, "", `{"client_id": "second"}`).want(t, 201, "")
	list := r.clients(http.MethodGet, r.ada, token, "?limit=1&offset=1", "").want(t, 200, "")
	if rows := list.body["result"].([]any); len(rows) != 1 || rows[0].(map[string]any)["client_id"] != "second" {
		t.Errorf("list %s", list.raw)
	}
	gone := r.clients(http.MethodDelete, r.ada, token, "/portal", "").want(t, 200, "")
	if value, there := gone.body["result"]; !there || value != nil {
		t.Errorf("delete answered %s", gone.raw)
	}
	for query, want := range map[string]int{"": 1, "?show_inactive=false": 1, "?show_inactive=true": 2, "?show_inactive=True": 2} {
		if rows := r.clients(http.MethodGet, r.ada, token, query, "").want(t, 200, "").body["result"].([]any); len(rows) != want {
			t.Errorf("list%s has %d rows, want %d", query, len(rows), want)
		}
	}
	r.clients(http.MethodGet, r.ada, token, "?show_inactive=maybe", "").want(t, 400, "invalid_request")
	r.clients(http.MethodGet, r.ada, token, "?limit=ten", "").want(t, 400, "invalid_request")
}

// A-B04: inactive means inactive everywhere, at once.
func TestADeletedClientAndAllItsTokensAreVoidAtOnce(t *testing.T) {
	r := start(t)
	owner := r.login(r.ada)
	c := r.register(r.ada, owner, `{}`)
	pair := r.tokens(r.ada.host, c.basic(), r.ada.grant()).want(t, 200, "")
	through := pair.access()
	r.get(r.ada.host, "/v3/oauth2/userinfo", through).want(t, 200, "")

	r.clients(http.MethodDelete, r.ada, owner, "/"+c.id, "").want(t, 200, "")
	r.clients(http.MethodDelete, r.ada, owner, "/"+c.id, "").want(t, 200, "")
	r.tokens(r.ada.host, c.basic(), r.ada.grant()).want(t, 401, "invalid_client")
	r.tokens(r.ada.host, c.basic(), refreshGrant(pair.refresh())).want(t, 401, "invalid_client")
	r.get(r.ada.host, "/v3/oauth2/userinfo", through).want(t, 401, "invalid_token")
	r.clients(http.MethodPut, r.ada, owner, "/"+c.id, `{"display_name": "x"}`).want(t, 409, "conflict")
	r.clients(http.MethodPost, r.ada, owner, "", `{"client_id": "`+c.id+`"}`).want(t, 409, "conflict")
	r.get(r.ada.host, "/v3/oauth2/userinfo", owner).want(t, 200, "")
}

func TestATokenMadeThroughAClientChangesThatClientOnly(t *testing.T) {
	r := start(t)
	owner := r.login(r.ada)
	portal, other := r.register(r.ada, owner, `{"client_id": "portal"}`), r.register(r.ada, owner, `{"client_id": "other"}`)
	through := r.tokens(r.ada.host, portal.basic(), r.ada.grant()).access()
	r.clients(http.MethodPut, r.ada, through, "/other", `{"callback_url": "https://evil.example/cb"}`).want(t, 403, "access_denied")
	r.clients(http.MethodDelete, r.ada, through, "/other", "").want(t, 403, "access_denied")
	r.tokens(r.ada.host, other.basic(), r.ada.grant()).want(t, 200, "")
	r.clients(http.MethodPut, r.ada, through, "/portal", `{"display_name": "Mine"}`).want(t, 200, "")
}
