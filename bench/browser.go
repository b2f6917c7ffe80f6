package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// pagesPath is where all pages are.
const pagesPath = "/v3/oauth2/"

// browser walks through the sign-in pages. It is for what is prepared outside
// of the counted time.
type browser struct {
	server *server
	http   *http.Client
	cookie string // name=value; empty: none yet
}

func newBrowser(s *server) *browser {
	return &browser{server: s, http: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer to a browser.
type page struct {
	status   int
	location string
	body     string
}

// open gets a path and follows where it leads among the pages.
func (b *browser) open(ctx context.Context, path string) (page, error) {
	return b.do(ctx, http.MethodGet, path, nil)
}

var (
	formPattern   = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)".*?</form>`)
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// submit sends the first form of a page with more fields, and follows.
func (b *browser) submit(ctx context.Context, p page, fields ...string) (page, error) {
	form := formPattern.FindStringSubmatch(p.body)
	if form == nil {
		return page{}, fmt.Errorf("a page with status %d, leading to %q, has no form", p.status, p.location)
	}
	values := url.Values{}
	for _, f := range hiddenPattern.FindAllStringSubmatch(form[0], -1) {
		values.Set(f[1], html.UnescapeString(f[2]))
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return b.do(ctx, http.MethodPost, form[1], values)
}

func (b *browser) do(ctx context.Context, method, path string, form url.Values) (page, error) {
	for range 10 {
		p, err := b.once(ctx, method, path, form)
		if err != nil || !strings.HasPrefix(p.location, pagesPath) {
			return p, err
		}
		method, path, form = http.MethodGet, p.location, nil
	}
	return page{}, errors.New("the pages redirect without end")
}

func (b *browser) once(ctx context.Context, method, path string, form url.Values) (p page, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+b.server.addr+path, strings.NewReader(form.Encode()))
	if err != nil {
		return p, err
	}
	req.Host = b.server.host
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return p, err
	}
	defer func() { _ = resp.Body.Close() }()
	for _, c := range resp.Cookies() {
		b.cookie = c.Name + "=" + c.Value
	}
	body, err := io.ReadAll(resp.Body)
	return page{status: resp.StatusCode, location: resp.Header.Get("Location"), body: string(body)}, err
}

// signIn lets everybody sign in and allow the client for good. Afterwards an
// authorization request is answered with a code at once.
func (o *office) signIn(ctx context.Context) error {
	for person := range o.browsers {
		if o.browsers[person] != nil {
			continue
		}
		b := newBrowser(o.server)
		if err := o.allow(ctx, b, person); err != nil {
			return fmt.Errorf("sign %s in: %w", username(person), err)
		}
		o.browsers[person] = b
	}
	return nil
}

func (o *office) allow(ctx context.Context, b *browser, person int) error {
	login, err := b.open(ctx, o.authorizePath(person))
	if err != nil {
		return err
	}
	consent, err := b.submit(ctx, login, "username", username(person), "password", username(person))
	if err != nil {
		return err
	}
	answer, err := b.submit(ctx, consent, "decision", "allow", "always", "yes")
	if err != nil {
		return err
	}
	_, err = o.readCode(answer.status, answer.location)
	return err
}
