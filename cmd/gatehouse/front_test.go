package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADevelopmentSiteAnswersLoopbackNamesAlone(t *testing.T) {
	r := start(t)
	front := localOnly(r.server.Config.Handler)
	for host, want := range map[string]int{
		"localhost:" + r.port: 200, "lab.localhost:" + r.port: 200, "127.0.0.1:" + r.port: 200, "[::1]:" + r.port: 200,
		"rebound.example.org:" + r.port: 421, "localhost.example.org": 421, "registry": 421, "10.0.0.1:" + r.port: 421,
	} {
		w := httptest.NewRecorder()
		front.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+host+"/v3/tenants", http.NoBody))
		if w.Code != want {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
	}
	for origin, want := range map[string]string{
		"http://localhost:3000": "http://localhost:3000", "http://app.localhost": "http://app.localhost",
		"https://127.0.0.1:8443": "https://127.0.0.1:8443", "https://portal.example.org": "", "null": "", "": "",
		"http://localhost@portal.example.org": "", "http://localhost.example.org": "",
	} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			got := r.send(method, r.ada.host, "/v3/tenants", header{"Origin": origin, "Access-Control-Request-Method": "GET"}, "")
			if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != want || got.header.Get("Vary") != "Origin" {
				t.Errorf("%s from %q: %q, Vary %q", method, origin, allowed, got.header.Get("Vary"))
			}
			if asked := method == http.MethodOptions; asked && (got.status == 204) != (want != "") {
				t.Errorf("a preflight from %q: %d", origin, got.status)
			}
		}
	}
}

func TestCookiesOfSitesOnOtherPortsDoNotCollide(t *testing.T) {
	r := start(t)
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+r.port+"/v3/oauth2/webapp", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	cookies := answer.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "tapis_session_"+r.port || cookies[0].Secure {
		t.Errorf("%d: %v", answer.StatusCode, answer.Header.Values("Set-Cookie"))
	}
}

func TestAPasswordIsShownToATerminalAlone(t *testing.T) {
	r := start(t)
	for terminal, shown := range map[bool]bool{true: true, false: false} {
		var out bytes.Buffer
		r.banner(&out, terminal)
		if strings.Contains(out.String(), r.newPassword) != shown || !strings.Contains(out.String(), r.data.path("service-password")) {
			t.Errorf("to a terminal, %t: the banner is wrong", terminal)
		}
	}
	pipe, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pipe.Close() }()
	defer func() { _ = end.Close() }()
	if isTerminal(end) || isTerminal(&bytes.Buffer{}) {
		t.Error("a pipe is taken for a terminal")
	}
}

func TestADataDirectoryThatIsOpenIsClosedOrRefused(t *testing.T) {
	open := func(names ...string) dataDir {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dataDir(dir)
	}
	for name, test := range map[string]struct {
		dir  dataDir
		mode os.FileMode
	}{
		"empty": {open(), 0o700}, "of an earlier start": {open("tenants.db", "x"), 0o700}, "somebody's": {open("x"), 0o755},
	} {
		err := test.dir.prepare()
		info, statErr := os.Stat(string(test.dir))
		if statErr != nil {
			t.Fatal(statErr)
		}
		if (err == nil) != (test.mode == 0o700) || info.Mode().Perm() != test.mode {
			t.Errorf("%s: mode %o, %v", name, info.Mode().Perm(), err)
		}
	}
}
