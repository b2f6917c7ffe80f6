package deploy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy is nginx with the configuration of deploy/nginx.
type proxy struct {
	*process
	url string
}

// nginxFolder copies deploy/nginx, with the addresses of the programs and of
// nginx itself replaced by those of a test, and returns nginx's arguments.
func nginxFolder(t testing.TB, listen string, upstreams map[string][]string) []string {
	t.Helper()
	needProgram(t, "nginx")
	dir := tempDir(t)
	for name, pairs := range map[string][]string{
		"nginx.conf": nil, "gatehouse.conf": nil, "gatehouse/listen.conf": {"listen 8080 ", "listen " + listen + " "},
	} {
		copied(t, filepath.Join(dir, name), "deploy/nginx/"+name, pairs...)
	}
	text := read(t, "deploy/nginx/gatehouse/upstreams.conf")
	server := regexp.MustCompile(`(?m)^  server (\w+):5000(.*)$`)
	if found := server.FindAllStringSubmatch(text, -1); len(found) != 2 {
		t.Fatalf("the upstreams are %q", found)
	}
	text = server.ReplaceAllStringFunc(text, func(line string) string {
		match := server.FindStringSubmatch(line)
		var lines []string
		for _, addr := range upstreams[match[1]] {
			lines = append(lines, "  server "+addr+match[2])
		}
		return strings.Join(lines, "\n")
	})
	write(t, filepath.Join(dir, "gatehouse/upstreams.conf"), text)
	prefix := tempDir(t) + "/"
	return []string{"-e", "stderr", "-p", prefix, "-c", filepath.Join(dir, "nginx.conf")}
}

// serve starts nginx before the programs at the given addresses.
func serve(t testing.TB, upstreams map[string][]string) *proxy {
	t.Helper()
	listen := freeAddr(t)
	p := &proxy{url: "http://" + listen}
	p.process = start(t, exec.Command("nginx", append(nginxFolder(t, listen, upstreams), "-g", "daemon off;")...))
	await(t, p.process, "nginx answers", func() bool { return answers(listen) })
	return p
}

// checked adds a service at /v3/files whose requests nginx has checked.
func checked(t testing.TB, args []string, addr string) {
	t.Helper()
	dir := filepath.Dir(args[len(args)-1])
	write(t, filepath.Join(dir, "gatehouse/checked.conf"), read(t, "deploy/nginx/gatehouse/checked.conf"))
	if err := os.Mkdir(filepath.Join(dir, "gatehouse/services"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "gatehouse/services/files.conf"),
		"location ~ ^/v3/files(/|$) {\n  include gatehouse/checked.conf;\n  proxy_pass http://"+addr+";\n}\n")
}

// identity are the headers that tell whose a token is.
var identity = []string{"X-Tapis-Token-User", "X-Tapis-Token-Tenant", "X-Tapis-Token-Account-Type", "X-Tapis-Token-Id"}

// The recipe of docs/deploy.md for services that do not look at revocations.
func TestARevokedTokenIsStoppedAtTheEdge(t *testing.T) {
	authenticator := standIn(t, "authenticator", func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/v3/oauth2/hello" && r.RequestURI != "/v3/site-router/tokens/check" || r.Method != http.MethodGet ||
			r.ContentLength > 0 {
			t.Errorf("nginx asks %s %s with %d bytes", r.Method, r.RequestURI, r.ContentLength)
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.Header.Get("X-Tapis-Token") {
		case "good":
			for i, name := range identity {
				w.Header().Set(name, strconv.Itoa(i))
			}
		case "revoked":
			w.Header().Set("WWW-Authenticate", `Bearer realm="tapis", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		case "unclear":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprint(w, `{}`)
	})
	files := standIn(t, "files", nil)
	listen := freeAddr(t)
	args := nginxFolder(t, listen, map[string][]string{"tenants": {"127.0.0.1:1"}, "authenticator": {authenticator.addr()}})
	checked(t, args, files.addr())
	nginx := start(t, exec.Command("nginx", append(args, "-g", "daemon off;")...))
	await(t, nginx, "nginx answers", func() bool { return answers(listen) })
	url := "http://" + listen + "/v3/files/content?x=y"
	for _, h := range [][]string{nil, {"X-Tapis-Token", "good"}, {"X-Tapis-Token", "good", "X-Tapis-User", "ada"}} {
		resp, body := do(t, "POST", url, `{"a":1}`, h...)
		if resp.StatusCode != http.StatusOK || body != `{"program":"files","uri":"/v3/files/content?x=y"}` {
			t.Errorf("%v: %s, %s", h, resp.Status, body)
		}
	}
	// Who the caller is comes from the check, whatever the caller says, and so
	// it is where nothing is checked.
	for token, want := range map[string][]string{"good": {"0", "1", "2", "3"}, "expired": {"", "", "", ""}} {
		h := []string{"X-Tapis-Token", token}
		for _, name := range identity {
			h = append(h, name, "root")
		}
		do(t, "POST", url, `{"a":1}`, h...)
		for i, name := range identity {
			if got := files.last().Header.Get(name); got != want[i] {
				t.Errorf("%s: %s is %q, want %q", token, name, got, want[i])
			}
		}
		if files.last().Host != listen || files.last().Header.Get("X-Forwarded-For") != "127.0.0.1" {
			t.Errorf("%s: the service sees the host %s and %v", token, files.last().Host, files.last().Header)
		}
		do(t, "GET", "http://"+listen+"/v3/oauth2/hello", "", h...)
		if got := authenticator.last(); got.RequestURI != "/v3/oauth2/hello" || got.Header.Get(identity[0]) != "" {
			t.Errorf("unchecked: %s with %v", got.RequestURI, got.Header)
		}
	}
	passed := files.hits
	for _, behalf := range [][]string{nil, {"X-Tapis-User", "ada", "X-Tapis-Tenant", "dev"}} {
		h := append([]string{"X-Tapis-Token", "revoked"}, behalf...)
		resp, body := do(t, "POST", url, `{"a":1}`, h...)
		checkFailure(t, "a revoked token", resp, body, 401, "")
		if resp.Header.Get("WWW-Authenticate") == "" || !strings.Contains(body, "revoked") {
			t.Errorf("%s with %v", body, resp.Header)
		}
	}
	resp, body := do(t, "GET", url, "", "X-Tapis-Token", "unclear")
	checkFailure(t, "an authenticator that cannot say", resp, body, 503, "")
	authenticator.Close()
	resp, body = do(t, "GET", url, "", "X-Tapis-Token", "good")
	checkFailure(t, "no authenticator", resp, body, 503, "")
	if files.hits != passed {
		t.Error("a refused request was passed on")
	}
	if resp, _ := do(t, "GET", "http://"+listen+"/_gatehouse/check", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the check is open to everybody: %s", resp.Status)
	}
}

func TestNginxTakesItsConfiguration(t *testing.T) {
	args := nginxFolder(t, freeAddr(t), map[string][]string{"tenants": {"127.0.0.1:1"}, "authenticator": {"127.0.0.1:2"}})
	out, err := exec.Command("nginx", append(args, "-t")...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "[warn]") && os.Getuid() == 0 {
		t.Errorf("nginx -t: %v\n%s", err, out)
	}
}

// program is a stand-in for one of ours that tells what reaches it.
type program struct {
	*httptest.Server
	name string
	mu   sync.Mutex
	seen []*http.Request
	hits int
}

func standIn(t testing.TB, name string, handler http.HandlerFunc) *program {
	t.Helper()
	p := &program{name: name}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		p.mu.Lock()
		p.seen = append(p.seen, r)
		p.hits++
		p.mu.Unlock()
		if handler != nil {
			handler(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"program":%q,"uri":%q}`, name, r.RequestURI)
	}))
	t.Cleanup(p.Close)
	return p
}

// breakOff closes the connection without an answer.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	c, _, _ := w.(http.Hijacker).Hijack()
	_ = c.Close()
}

func (p *program) addr() string { return p.Listener.Addr().String() }

func (p *program) last() *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[len(p.seen)-1]
}

func do(t testing.TB, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestNginxRoutesByPathAndChangesNothing(t *testing.T) {
	tenants, authenticator := standIn(t, "tenants", nil), standIn(t, "authenticator", nil)
	p := serve(t, map[string][]string{"tenants": {tenants.addr()}, "authenticator": {authenticator.addr()}})
	const host = "dev.tapis.example.org:8443"
	for prefix, want := range routes {
		for _, rest := range []string{"", "/", "/x/y%2Fz?a=b%20c&d", "/a//b", "?select=tenant_id"} {
			resp, body := do(t, "GET", p.url+prefix+rest, "", "Host", host, "X-Forwarded-For", "192.0.2.1", "X-Tapis-Token", "t")
			if got := `{"program":"` + want + `","uri":"` + prefix + rest + `"}`; resp.StatusCode != http.StatusOK || body != got {
				t.Errorf("%s: %s, %s; want %s", prefix+rest, resp.Status, body, got)
			}
			if got := resp.Header.Values("Content-Type"); !slices.Equal(got, []string{"application/json"}) {
				t.Errorf("%s: Content-Type %q", prefix+rest, got)
			}
		}
		seen := map[string]*program{"tenants": tenants, "authenticator": authenticator}[want].last()
		if seen.Host != host || seen.Header.Get("X-Forwarded-For") != "192.0.2.1, 127.0.0.1" ||
			seen.Header.Get("X-Tapis-Token") != "t" {
			t.Errorf("%s: the program sees %s, %v", prefix, seen.Host, seen.Header)
		}
	}
	if resp, body := do(t, "POST", p.url+"/v3/oauth2/tokens", strings.Repeat("x", 1<<20+1)); resp.StatusCode != http.StatusOK {
		t.Errorf("the program cannot refuse what is too large for it: %s, %s", resp.Status, body)
	}
	if said := p.said(); strings.Contains(said, "b%20c") || !strings.Contains(said, `"path":"/v3/tenants/x/y%2Fz"`) {
		t.Errorf("the access log has queries, or not the paths:\n%s", said)
	}
}

// envelope is what every answer must look like.
type envelope struct {
	Result      *json.RawMessage `json:"result"`
	Status      string           `json:"status"`
	Message     string           `json:"message"`
	Version     string           `json:"version"`
	Metadata    *struct{}        `json:"metadata"`
	Error       string           `json:"error"`
	Description string           `json:"error_description"`
}

func checkFailure(t testing.TB, what string, resp *http.Response, body string, status int, code string) {
	t.Helper()
	var got envelope
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		t.Errorf("%s: %v in %s", what, err, body)
	}
	if resp.StatusCode != status || got.Status != "error" || got.Message == "" || got.Version == "" || got.Metadata == nil ||
		!strings.Contains(body, `"result":null`) {
		t.Errorf("%s: %s, %s; want %d", what, resp.Status, body, status)
	}
	if got.Error != code || (code == "") != (got.Description == "") {
		t.Errorf("%s: error %q, want %q", what, got.Error, code)
	}
	h := resp.Header
	if !slices.Equal(h.Values("Content-Type"), []string{"application/json"}) || h.Get("X-Request-Id") == "" ||
		h.Get("Cache-Control") != "no-store" || (h.Get("Retry-After") != "") != (status == 503) {
		t.Errorf("%s: headers %v", what, h)
	}
}

func TestWhatNginxAnswersItselfIsAnEnvelopeToo(t *testing.T) {
	slow := standIn(t, "tenants", breakOff)
	p := serve(t, map[string][]string{"tenants": {slow.addr()}, "authenticator": {freeAddr(t)}})
	for what, request := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"an unknown path":           {"GET", "/", "", 404, ""},
		"a longer word":             {"GET", "/v3/tenantsx", "", 404, ""},
		"a longer word of OAuth":    {"GET", "/v3/oauth2x", "", 404, ""},
		"the page of failures":      {"GET", "/failure", "", 404, ""},
		"a program that is away":    {"POST", "/v3/oauth2/tokens", "{}", 503, "temporarily_unavailable"},
		"the same for another path": {"POST", "/v3/tokens", "{}", 503, ""},
		"a program that breaks off": {"GET", "/v3/tenants", "", 503, ""},
		"a body that is too large":  {"POST", "/v3/oauth2/tokens", strings.Repeat("x", 3<<20), 413, "invalid_request"},
		"a method for nobody":       {"TRACE", "/v3/sites", "", 405, ""},
		"an address without end":    {"GET", "/v3/oauth2/" + strings.Repeat("x", 20000), "", 414, ""},
		"a NUL":                     {"GET", "/v3/tenants/%00", "", 400, ""},
	} {
		expect := map[bool]string{true: "100-continue"}[len(request.body) > 1<<20]
		resp, body := do(t, request.method, p.url+request.path, request.body, "Host", "dev.example.org", "Expect", expect)
		checkFailure(t, what, resp, body, request.status, request.code)
	}
	for what, request := range map[string]struct {
		raw    string
		status int
	}{
		"no HTTP":              {"garbage\r\n\r\n", 400},
		"no host":              {"GET /v3/tenants HTTP/1.0\r\n\r\n", 400},
		"two hosts":            {"GET /v3/tenants HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		"a version to come":    {"GET /v3/tenants HTTP/9.1\r\nHost: a\r\n\r\n", 505},
		"headers without end":  {"GET /v3/tenants HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40000) + "\r\n\r\n", 431},
		"an unknown framing":   {"POST /v3/sites HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501},
		"a header with a hole": {"GET /v3/tenants HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400},
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(c, request.raw)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		body, _ := io.ReadAll(resp.Body)
		checkFailure(t, what, resp, string(body), request.status, "")
		_ = resp.Body.Close()
		_ = c.Close()
	}
	if resp, body := do(t, "HEAD", p.url+"/v3/oauth2/jwks", ""); resp.StatusCode != http.StatusServiceUnavailable || body != "" {
		t.Errorf("HEAD: %s, %q", resp.Status, body)
	}
	resp, body := do(t, "GET", p.url+"/healthz", "")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"status":"success"`) {
		t.Errorf("/healthz: %s, %s", resp.Status, body)
	}
}

func TestAReplicaThatIsAwayCostsNoRequest(t *testing.T) {
	alive := standIn(t, "authenticator", nil)
	p := serve(t, map[string][]string{"tenants": {freeAddr(t)}, "authenticator": {freeAddr(t), alive.addr()}})
	for range 20 {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			if resp, body := do(t, method, p.url+"/v3/oauth2/clients", ""); resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s, %s", method, resp.Status, body)
			}
		}
	}
}

func TestOnlyWhatMayBeRepeatedIsSentAgain(t *testing.T) {
	breaksOff := standIn(t, "breaks off", breakOff)
	alive := standIn(t, "alive", nil)
	p := serve(t, map[string][]string{"tenants": {freeAddr(t)}, "authenticator": {breaksOff.addr(), alive.addr()}})
	for method, repeated := range map[string]bool{"GET": true, "DELETE": true, "POST": false, "PATCH": false} {
		failed := 0
		for range 20 {
			resp, _ := do(t, method, p.url+"/v3/oauth2/clients/x", "")
			if resp.StatusCode != http.StatusOK {
				failed++
			}
		}
		if repeated && failed > 0 || !repeated && failed == 0 {
			t.Errorf("%d of 20 %s failed; repeated elsewhere: %t", failed, method, repeated)
		}
	}
	if breaksOff.hits != 40 {
		t.Errorf("the replica that breaks off saw %d requests, want its half: it was sent none again, and is not left out after",
			breaksOff.hits)
	}
}

func TestAReplicaThatComesBackIsUsedAtOnce(t *testing.T) {
	addr := freeAddr(t)
	p := serve(t, map[string][]string{"tenants": {addr}, "authenticator": {freeAddr(t)}})
	if resp, _ := do(t, "GET", p.url+"/v3/tenants", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("nobody there: %s", resp.Status)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	if resp, _ := do(t, "GET", p.url+"/v3/tenants", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("somebody there: %s", resp.Status)
	}
}
