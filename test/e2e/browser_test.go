package e2e

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/testlog"
)

// chromium returns the browser's program.
func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; make e2e installs it", err)
	}
	return path
}

// tab is a page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// step is something that a person does, or waits to see.
type step = chromedp.Action[chromedp.Void]

// browse opens a browser with a profile of its own, at the width of a small
// phone and without scripts, as the pages promise to work.
func browse(t *testing.T) tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.Flag("blink-settings", "scriptEnabled=false"))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stopTab := chromedp.NewContext(allocator)
	t.Cleanup(stopTab)
	b := tab{t, ctx}
	// This starts the browser, which lives as long as this context.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(320, 640)); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return b
}

// do carries steps out.
func (b tab) do(doing string, steps ...step) {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, time.Minute)
	defer stop()
	if err := chromedp.Do(ctx, steps...); err != nil {
		late, stop := context.WithTimeout(b.ctx, 5*time.Second)
		defer stop()
		address, _ := chromedp.Run(late, chromedp.Location())
		text, _ := chromedp.Run(late, chromedp.TextContent(chromedp.CSS("main")))
		b.t.Fatalf("%s: %v; at %s:\n%s", doing, err, strings.SplitN(address, "?", 2)[0], text)
	}
}

// see returns what an action finds.
func see[T any](b tab, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, stop := context.WithTimeout(b.ctx, time.Minute)
	defer stop()
	found, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// shows waits until the page's heading has the given text.
func shows(heading string) step {
	return chromedp.WaitVisible(chromedp.Search(`//h1[contains(normalize-space(.), "` + heading + `")]`))
}

// logIn fills the login page in with the keyboard alone.
func logIn(name string) step {
	return chromedp.Steps(shows("Log in"),
		chromedp.SendKeys(chromedp.CSS("#username"), name), chromedp.SendKeys(chromedp.CSS("#password"), name+"\r"))
}

func press(button string) step {
	return chromedp.Click(chromedp.Search(`//button[normalize-space(.)="` + button + `"]`))
}

// application is a client on this machine that waits for its answer.
type application struct {
	client
	redirect string
	verifier string
	answers  chan url.Values
}

// application registers a public client whose redirect URI is a server of this
// test.
func (g *gatehouse) application(t *testing.T, name string) *application {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &application{verifier: newVerifier(t), answers: make(chan url.Values, 1)}
	a.redirect = "http://" + listener.Addr().String() + "/cb?app=1"
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cb":
			a.answers <- r.URL.Query()
		case "/bye": // OpenID Connect RP-Initiated Logout, by POST
			_, _ = fmt.Fprintf(w, `<h1>The application</h1><form method="post" action="%s/v3/oauth2/logout">
<input type="hidden" name="client_id" value="%s">
<input type="hidden" name="post_logout_redirect_uri" value="%s"><button>Sign out</button></form>`, g.url(), a.ID, a.redirect)
			return
		}
		_, _ = w.Write([]byte("<h1>Back at the application</h1>"))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	request := fields{"client_id": name, "callback_url": a.redirect, "display_name": name, "token_endpoint_auth_method": "none"}
	g.call(t, http.MethodPost, "/v3/oauth2/clients", request, "X-Tapis-Token", g.person(t, "testuser1")).
		want(t, http.StatusCreated).into(t, &a.client)
	return a
}

// newVerifier returns a code verifier, RFC 7636 section 4.1.
func newVerifier(t *testing.T) string {
	t.Helper()
	verifier := rand.Text() + rand.Text()
	testlog.Secret(t, verifier)
	return verifier
}

// request is the address that begins a sign-in for the application.
func (a *application) request(g *gatehouse) string {
	sum := sha256.Sum256([]byte(a.verifier))
	return g.url() + "/v3/oauth2/authorize?" + url.Values{
		"client_id": {a.ID}, "redirect_uri": {a.redirect}, "response_type": {"code"},
		"state": {"é&state"}, "scope": {"openid profile"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

func (a *application) answer(t *testing.T) url.Values {
	t.Helper()
	select {
	case answer := <-a.answers:
		if code := answer.Get("code"); code != "" {
			testlog.Secret(t, code)
		}
		if answer.Get("state") != "é&state" || answer.Get("app") != "1" {
			t.Errorf("the answer's other members: %v", answer)
		}
		return answer
	case <-time.After(30 * time.Second):
		t.Fatal("the application got no answer")
		return nil
	}
}

func TestAPersonSignsInWithABrowserWithoutScripts(t *testing.T) {
	g := start(t)
	app, b := g.application(t, "notebook"), browse(t)

	b.do("a wrong password", chromedp.Navigate(app.request(g)), shows("Log in"),
		chromedp.SendKeys(chromedp.CSS("#username"), "testuser2"), chromedp.SendKeys(chromedp.CSS("#password"), "nonsense\r"),
		chromedp.WaitVisible(chromedp.CSS(`[role="alert"]`)))
	kept, password := see(b, chromedp.Value(chromedp.CSS("#username"))), see(b, chromedp.Value(chromedp.CSS("#password")))
	if kept != "testuser2" || password != "" {
		t.Errorf("the form kept %q and %d characters of the password", kept, len(password))
	}
	b.do("log in", chromedp.SendKeys(chromedp.CSS("#password"), "testuser2\r"), shows("Allow notebook to act for you?"))
	if width := see(b, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); width > 320 {
		t.Errorf("the page is %d pixels wide at 320", width)
	}
	b.do("allow", press("Allow"), shows("Back at the application"))
	answer := app.answer(t)
	got := g.token(t, map[string]string{
		"grant_type": "authorization_code", "client_id": app.ID, "code": answer.Get("code"), "redirect_uri": app.redirect,
		"code_verifier": app.verifier,
	})
	if name := g.username(t, got.Access.Token); name != "testuser2" {
		t.Errorf("the token is of %q", name)
	}

	b.do("deny", chromedp.Navigate(app.request(g)), shows("Allow notebook"), press("Deny"), shows("Back at the application"))
	if answer := app.answer(t); answer.Get("error") != "access_denied" || answer.Has("code") {
		t.Errorf("got %v", answer)
	}

	// The application is another website: its form asks, and the page's own logs out.
	bye := strings.Replace(app.redirect, "/cb?app=1", "/bye", 1)
	b.do("ask to log out", chromedp.Navigate(bye), press("Sign out"), shows("Log out"))
	if text := see(b, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "testuser2") {
		t.Errorf("who is to log out? %s", text)
	}
	b.do("log out", press("Log out"), shows("Logged out"))
	b.do("go back", chromedp.Click(chromedp.CSS(`main li a`)), shows("Back at the application"))
	if answer := <-app.answers; answer.Get("app") != "1" || answer.Has("error") {
		t.Errorf("back with %v", answer)
	}
	b.do("be logged out", chromedp.Navigate(g.url()+"/v3/oauth2/logout"), shows("Logged out"))
	b.do("come again", chromedp.Navigate(app.request(g)), shows("Log in"))
}

func TestADeviceIsSignedInWithABrowser(t *testing.T) {
	g := start(t)
	app, b := g.application(t, "terminal"), browse(t)
	var device struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
		Whole  string `json:"verification_uri_complete"`
	}
	g.call(t, http.MethodPost, "/v3/oauth2/device/code", fields{"client_id": app.ID}).want(t, http.StatusOK).into(t, &device)
	testlog.Secret(t, device.Device)
	poll := map[string]string{"grant_type": "device_code", "client_id": app.ID, "device_code": device.Device}
	if device.Whole == "" {
		t.Fatal("there is no complete address")
	}
	b.do("follow the link", chromedp.Navigate(device.Whole), logIn("testuser3"), shows("Sign in a device"), press("Continue"),
		shows("Sign in this device?"))
	if a := g.call(t, http.MethodPost, "/v3/oauth2/tokens", poll); a.Error != "authorization_pending" {
		t.Errorf("before it was allowed: %d %s", a.status, a.Error)
	}
	b.do("allow", press("Allow"), shows("Your device is signed in"))
	time.Sleep(5 * time.Second) // as long as a device must wait
	var got answer
	for range 5 {
		if got = g.call(t, http.MethodPost, "/v3/oauth2/tokens", poll); got.Error != "slow_down" {
			break
		}
		time.Sleep(11 * time.Second)
	}
	var pair tokens
	got.want(t, http.StatusOK).into(t, &pair)
	testlog.Secret(t, pair.Access.Token)
	if name := g.username(t, pair.Access.Token); name != "testuser3" {
		t.Errorf("the token is of %q", name)
	}
}

func TestTheTokenPageInABrowser(t *testing.T) {
	g := start(t)
	b := browse(t)
	b.do("open the welcome page's link", chromedp.Navigate(g.url()+"/"), chromedp.Click(chromedp.CSS(`a[href="/v3/oauth2/webapp"]`)),
		logIn("testuser4"), shows("Your token"))
	hidden := see(b, chromedp.Text(chromedp.CSS("main")))
	b.do("show the token", chromedp.Click(chromedp.CSS("summary")), chromedp.WaitVisible(chromedp.CSS("#token")))
	token := see(b, chromedp.Value(chromedp.CSS("#token")))
	testlog.Secret(t, token)
	if strings.Contains(hidden, "Token, to be copied") || len(token) < 100 {
		t.Errorf("the token of %d characters is shown before it is asked for", len(token))
	}
	if name := g.username(t, token); name != "testuser4" {
		t.Errorf("the token is of %q", name)
	}
	b.do("void it", press("Void this token"), shows("Signed out of the token page"))
	g.call(t, http.MethodGet, "/v3/oauth2/userinfo", nil, "X-Tapis-Token", token).want(t, http.StatusUnauthorized)
}
