package authtest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apitest"
	"gatehouse/internal/authn"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/testlog"
)

// Server takes requests without a network.
type Server struct {
	T       testing.TB
	Handler http.Handler
	Host    string // of requests that name none
}

// Serve returns a Server whose every answer is checked against OpenAPI
// documents, if any are named.
func Serve(t testing.TB, mount func(r *gin.Engine), documents ...string) *Server {
	t.Helper()
	return ServeWith(t, httpapi.Options{}, mount, documents...)
}

// ServeWith is Serve with options, of which version and log are given here.
func ServeWith(t testing.TB, o httpapi.Options, mount func(r *gin.Engine), documents ...string) *Server {
	t.Helper()
	o.Version, o.Log = "test", testlog.New(t)
	engine, err := httpapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	mount(engine)
	s := &Server{T: t, Handler: engine, Host: "dev.tapis.io"}
	if len(documents) > 0 {
		s.Handler = apitest.New(t, engine, documents...)
	}
	return s
}

// Reply is an answer, read.
type Reply struct {
	T      testing.TB
	Status int
	Header http.Header
	Raw    string
	Body   Object // nil: it is no JSON object
}

// Send sends a request. A body other than nil and text is written as JSON.
// Headers are names, each before its value; a later one of a name counts.
func (s *Server) Send(method, target string, body any, headers ...string) Reply {
	s.T.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			s.T.Fatal(err)
		}
		text = string(encoded)
	}
	r := httptest.NewRequestWithContext(s.T.Context(), method, target, strings.NewReader(text))
	if strings.HasPrefix(target, "/") {
		r.Host = s.Host
	}
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	reply := Reply{T: s.T, Status: w.Code, Header: w.Result().Header, Raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &reply.Body)
	register(s.T, reply.Body)
	return reply
}

// register lets the search of logs know the secrets of an answer.
func register(t testing.TB, value any) {
	object, _ := value.(Object)
	for name, member := range object {
		switch name {
		case "access_token", "refresh_token", "id_token", "device_code", "client_key":
			if secret, ok := member.(string); ok && len(secret) >= testlog.MinSecret {
				testlog.Secret(t, secret)
			}
		}
		register(t, member)
	}
}

// Want fails the test unless the answer has a status and shows the texts.
func (r Reply) Want(status int, texts ...string) Reply {
	r.T.Helper()
	if r.Status != status {
		r.T.Fatalf("got %d %.500s, want %d", r.Status, r.Raw, status)
	}
	for _, text := range texts {
		if !strings.Contains(r.Raw, text) {
			r.T.Errorf("got %d %.500s, want it to show %s", r.Status, r.Raw, text)
		}
	}
	return r
}

// At returns what stands below the members of a body, nil when nothing does.
func (r Reply) At(members ...string) any {
	var value any = r.Body
	for _, name := range members {
		object, _ := value.(Object)
		value = object[name]
	}
	return value
}

// Text is At for a string.
func (r Reply) Text(members ...string) string {
	s, _ := r.At(members...).(string)
	return s
}

// Need is Text for what must be there, with the status 200.
func (r Reply) Need(members ...string) string {
	r.T.Helper()
	s := r.Want(http.StatusOK).Text(members...)
	if s == "" {
		r.T.Fatalf("got %.500s, without %v", r.Raw, members)
	}
	return s
}

// Result is the member result, as JSON.
func (r Reply) Result() string {
	r.T.Helper()
	var envelope struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal([]byte(r.Raw), &envelope); err != nil {
		r.T.Fatalf("no envelope: %.500s", r.Raw)
	}
	return string(envelope.Result)
}

// Callers are known by their tokens.
type Callers map[string]authn.Caller

// Check is an authn.Check that knows these callers alone. A service acts for
// whom its request names, unless it is said for whom.
func (c Callers) Check(_ context.Context, raw string, behalf authn.Subject) (authn.Caller, error) {
	caller, known := c[raw]
	if !known {
		return authn.Caller{}, authn.ErrSignature
	}
	if caller.Service() && caller.OnBehalfOf == (authn.Subject{}) {
		caller.OnBehalfOf = behalf
	}
	return caller, nil
}

// Administers lets everybody administer whose token no client of this id holds.
func Administers(stranger string) authn.MayAdminister {
	return func(_ context.Context, c authn.Caller) error {
		if c.ClientID == stranger {
			return authn.ThirdPartyRefused(stranger)
		}
		return nil
	}
}

// Person is a caller of a tenant of the site main.
func Person(username, tenantID string) authn.Caller {
	return authn.Caller{Username: username, TenantID: tenantID, SiteID: "main", AccountType: authn.UserAccount}
}

// ServiceAccount is a service of a site's administrative tenant.
func ServiceAccount(name, tenantID, siteID string) authn.Caller {
	return authn.Caller{Username: name, TenantID: tenantID, SiteID: siteID, AccountType: authn.ServiceAccount}
}
