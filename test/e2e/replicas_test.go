package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/seal"
	"gatehouse/internal/testlog"
)

// replica is one of several authenticators on one database, asked without the
// proxy.
type replica struct {
	gatehouse

	host string // of the tenant dev
}

func (r *replica) ask(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	return r.call(t, method, path, body, append(headers, "Host", r.host)...)
}

// login returns a token of a person and the id of the key that signed it.
func (r *replica) login(t *testing.T, name string) (token, kid string) {
	t.Helper()
	token = r.token(t, password(name), "Host", r.host).Access.Token
	text, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return token, header.KeyID
}

func (r *replica) accepts(t *testing.T, token string) bool {
	t.Helper()
	return r.ask(t, http.MethodGet, "/v3/oauth2/userinfo", nil, "X-Tapis-Token", token).status == http.StatusOK
}

// readerRole is testuser3 with the role readers.
var readerRole = fields{"tenant": "dev", "user": "testuser3", "roleName": "readers"}

// holds reports whether testuser3 holds the role readers.
func (r *replica) holds(t *testing.T, token string) bool {
	t.Helper()
	var got struct {
		Authorized bool `json:"isAuthorized"`
	}
	r.ask(t, http.MethodPost, "/v3/security/user/hasRole", readerRole, "X-Tapis-Token", token).want(t, http.StatusOK).into(t, &got)
	return got.Authorized
}

func TestTwoAuthenticatorsOnOnePostgresAgreeWithinTwoSeconds(t *testing.T) {
	s := startServices(t, direct)
	servicePassword := seal.NewSecret()
	testlog.Secret(t, servicePassword)
	s.call("authenticator", s.issuerEnv, "service-password", "set", "tokens", s.file("tokens-password", servicePassword))
	at := func(address string) *replica {
		return &replica{gatehouse{port: address[strings.LastIndexByte(address, ':')+1:]}, "localhost:" + s.port}
	}
	listen := "127.0.0.1:" + freePort(t)
	s.second("authenticator", s.issuerEnv, listen)
	one, other := at(s.issuerAt), at(listen)
	within := func(what string, is func() bool) {
		t.Helper()
		for began := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 2*time.Second {
				t.Fatalf("%s: not within two seconds", what)
			}
		}
	}

	// Revocation: the other one has just seen the token standing.
	token, _ := one.login(t, "testuser1")
	if !other.accepts(t, token) {
		t.Fatal("a token is not good at the other replica")
	}
	one.ask(t, http.MethodPost, "/v3/tokens/revoke", map[string]string{"token": token}).want(t, http.StatusOK)
	within("the revocation is known", func() bool { return !other.accepts(t, token) })
	if one.accepts(t, token) {
		t.Error("the replica that revoked it accepts it")
	}

	// Roles.
	admin, before := one.login(t, "testadmin")
	change := func(operation string) {
		t.Helper()
		one.ask(t, http.MethodPost, "/v3/security/user/"+operation, readerRole, "X-Tapis-Token", admin).want(t, http.StatusOK)
	}
	role := fields{"roleTenant": "dev", "roleName": "readers", "description": "Read."}
	one.ask(t, http.MethodPost, "/v3/security/role", role, "X-Tapis-Token", admin).want(t, http.StatusCreated)
	change("grantRole")
	within("the grant is known", func() bool { return other.holds(t, admin) })
	change("revokeUserRole")
	within("its end is known", func() bool { return !other.holds(t, admin) })

	// Rotation: nobody's token is refused meanwhile.
	service := serviceTokenAt(t, one.url(), "admin", "tokens", servicePassword, "", "Host", one.host)
	one.ask(t, http.MethodPut, "/v3/tokens/keys", fields{"tenant_id": "dev"},
		"X-Tapis-Token", service, "X-Tapis-Tenant", "admin", "X-Tapis-User", "tokens").want(t, http.StatusOK)
	token, now := one.login(t, "testuser1")
	if now == before {
		t.Error("the replica that rotated the key signs with the old one")
	}
	within("the new key signs everywhere", func() bool {
		fresh, kid := other.login(t, "testuser2")
		for _, r := range []*replica{one, other} {
			for name, raw := range map[string]string{"old": admin, "first": token, "other's": fresh} {
				if !r.accepts(t, raw) {
					t.Errorf("the %s token was refused at %s", name, r.port)
				}
			}
		}
		return kid == now
	})
	within("the key sets are the same", func() bool {
		sets := [2]string{}
		for i, r := range []*replica{one, other} {
			sets[i] = string(r.ask(t, http.MethodGet, "/v3/oauth2/jwks", nil).want(t, http.StatusOK).body)
		}
		return sets[0] == sets[1]
	})
}
