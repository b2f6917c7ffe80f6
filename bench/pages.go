package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
)

const (
	// pagesPath is where all pages are.
	pagesPath = "/v3/oauth2/"
	state     = "bench-state"
	// verifier is that of PKCE. One for all costs the server what others do.
	verifier    = "bench-bench-bench-bench-bench-bench-bench-bench"
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// devicesPerAddress is how many codes one address gets at once even when the
	// tenant has given many, so that each group comes from another one of this
	// machine's.
	devicesPerAddress = 3
)

// browser walks through the sign-in pages. It is for what is prepared outside
// of the counted time.
type browser struct {
	http.Client

	base string // URL of the server
}

// newBrowser follows where the server leads among the pages.
func newBrowser(s *server) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.addr)
	}}
	stay := func(req *http.Request, via []*http.Request) error {
		if !strings.HasPrefix(req.URL.Path, pagesPath) || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{http.Client{Transport: transport, CheckRedirect: stay, Jar: jar}, "http://" + s.host}, nil
}

// cookie is the header that the browser sends.
func (b *browser) cookie() string {
	at, err := url.Parse(b.base + pagesPath)
	if err != nil {
		return ""
	}
	var pairs []string
	for _, c := range b.Jar.Cookies(at) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return "Cookie: " + strings.Join(pairs, "; ") + "\r\n"
}

// page is an answer to a browser.
type page struct {
	status   int
	location string
	body     string
}

func (b *browser) open(ctx context.Context, path string) (page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return page{}, err
	}
	return b.do(req)
}

var (
	formPattern   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the first form of a page with more fields.
func (b *browser) submit(ctx context.Context, p page, fields map[string]string) (page, error) {
	form := formPattern.FindStringSubmatch(p.body)
	if form == nil {
		return page{}, fmt.Errorf("a page with status %d, leading to %q, has no form", p.status, p.location)
	}
	values := url.Values{}
	for _, f := range hiddenPattern.FindAllStringSubmatch(form[0], -1) {
		values.Set(f[1], html.UnescapeString(f[2]))
	}
	for name, value := range fields {
		values.Set(name, value)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+form[1], strings.NewReader(values.Encode()))
	if err != nil {
		return page{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

func (b *browser) do(req *http.Request) (page, error) {
	resp, err := b.Do(req)
	if err != nil {
		return page{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return page{status: resp.StatusCode, location: resp.Header.Get("Location"), body: string(body)}, err
}

// signIn lets everybody sign in and allow the client for good. Afterwards an
// authorization request is answered with a code at once.
func (a *authenticator) signIn(ctx context.Context) error {
	for person := range a.browsers {
		if a.browsers[person] != nil {
			continue
		}
		b, err := newBrowser(a.server)
		if err == nil {
			err = a.allow(ctx, b, person)
		}
		if err != nil {
			return fmt.Errorf("sign %s in: %w", username(person), err)
		}
		a.browsers[person] = b
	}
	return nil
}

func (a *authenticator) allow(ctx context.Context, b *browser, person int) error {
	login, err := b.open(ctx, a.authorizePath(person))
	if err != nil {
		return err
	}
	consent, err := b.submit(ctx, login, map[string]string{"username": username(person), "password": username(person)})
	if err != nil {
		return err
	}
	answer, err := b.submit(ctx, consent, map[string]string{"decision": "allow", "always": "yes"})
	if err != nil {
		return err
	}
	_, err = a.readCode(answer.status, answer.location)
	return err
}

// authorizePath is the authorization request of a person's client.
func (a *authenticator) authorizePath(person int) string {
	challenge := sha256.Sum256([]byte(verifier))
	return pagesPath + "authorize?" + url.Values{
		"client_id": {a.clients[person].id}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode()
}

// readCode returns the code of an answer to the client, or what is wrong.
func (a *authenticator) readCode(status int, location string) (string, error) {
	answer, isOurs := strings.CutPrefix(location, callback+"?")
	values, err := url.ParseQuery(answer)
	if status != http.StatusSeeOther || !isOurs || err != nil {
		return "", fmt.Errorf("the server answered %d and leads to %q", status, location)
	}
	code := values.Get("code")
	if code == "" || values.Get("state") != state || values.Get("iss") != a.baseURL()+"/v3/oauth2" {
		return "", fmt.Errorf("the answer to the client is wrong: %v", values)
	}
	return code, nil
}

// code is an authorization code of a person.
type code struct {
	person int
	value  string
}

// authorize is the request of a browser that is signed in.
func (a *authenticator) authorize(person int) []byte {
	return get(a.authorizePath(person), a.host, a.browsers[person].cookie())
}

// newCode sends that.
func (a *authenticator) newCode(c *client, person int, request []byte) (code, error) {
	r, err := c.exchange(request)
	if err != nil {
		return code{}, err
	}
	value, err := a.readCode(r.status, r.location)
	return code{person, value}, err
}

// redeem exchanges a code for tokens.
func (a *authenticator) redeem(c *client, code code) error {
	request, want := a.request(code.person, true, "authorization_code",
		map[string]any{"code": code.value, "redirect_uri": callback, "code_verifier": verifier})
	return a.tokens.ask(c, request, want)
}

// codes makes at least n authorization codes, as many of each person.
func (a *authenticator) codes(ctx context.Context, n int) ([]code, error) {
	if err := a.signIn(ctx); err != nil {
		return nil, err
	}
	ofEach := n/people + 1
	codes := make([]code, people*ofEach)
	making, ctx := errgroup.WithContext(ctx)
	for person := range people {
		making.Go(func() error {
			c, err := dial(ctx, nil, a.addr)
			if err != nil {
				return err
			}
			defer c.hangUp()
			request := a.authorize(person)
			for i := range ofEach {
				if codes[i*people+person], err = a.newCode(c, person, request); err != nil {
					return fmt.Errorf("make codes: %w", err)
				}
			}
			return nil
		})
	}
	return codes, making.Wait()
}

// device is one that waits for somebody's approval.
type device struct {
	person     int    // whose client it uses
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
}

// newDevices asks for device codes until there are n.
func (a *authenticator) newDevices(ctx context.Context, n int) ([]device, error) {
	groups := n/devicesPerAddress + 1
	devices := make([]device, groups*devicesPerAddress)
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(16)
	for g := range groups {
		a.address = a.address.Next()
		from := net.IP(a.address.AsSlice())
		asking.Go(func() error {
			c, err := dial(ctx, from, a.addr)
			if err != nil {
				return err
			}
			defer c.hangUp()
			for i := range devicesPerAddress {
				if devices[g*devicesPerAddress+i], err = a.newDevice(c, i%people); err != nil {
					return fmt.Errorf("ask for device codes: %w", err)
				}
			}
			return nil
		})
	}
	return devices, asking.Wait()
}

func (a *authenticator) newDevice(c *client, person int) (device, error) {
	d, of := device{person: person}, a.clients[person]
	request := post("/v3/oauth2/device/code", a.host, of.header(), map[string]any{"client_id": of.id})
	_, err := c.exchangeJSON(request, http.StatusOK, &d)
	if err == nil && (d.DeviceCode == "" || d.UserCode == "") {
		err = errors.New("the answer has no codes")
	}
	return d, err
}

// poll makes a device's request for tokens, and says what is due.
func (a *authenticator) poll(d device) ([]byte, expected) {
	request, want := a.request(d.person, true, deviceGrant, map[string]any{"device_code": d.DeviceCode})
	want.GrantType = "device_code" // as claims have it
	return request, want
}

// approve lets the people approve all devices, each those with the own client.
func (a *authenticator) approve(ctx context.Context, devices []device) error {
	if err := a.signIn(ctx); err != nil {
		return err
	}
	approving, ctx := errgroup.WithContext(ctx)
	for person, b := range a.browsers {
		approving.Go(func() error {
			for _, d := range devices {
				if d.person != person {
					continue
				}
				if err := d.approve(ctx, b); err != nil {
					return fmt.Errorf("approve a device: %w", err)
				}
			}
			return nil
		})
	}
	return approving.Wait()
}

func (d device) approve(ctx context.Context, b *browser) error {
	typing, err := b.open(ctx, pagesPath+"device?"+url.Values{"user_code": {d.UserCode}}.Encode())
	if err != nil {
		return err
	}
	confirm, err := b.submit(ctx, typing, map[string]string{"user_code": d.UserCode})
	if err != nil {
		return err
	}
	done, err := b.submit(ctx, confirm, map[string]string{"decision": "allow", "ttl": "1"})
	if err == nil && done.status != http.StatusOK {
		err = fmt.Errorf("the server answered %d", done.status)
	}
	return err
}
