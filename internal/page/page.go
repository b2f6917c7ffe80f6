// Package page renders the templates of web/templates with the headers that
// keep a page safe: no scripts, no framing, no caching, no referrer. It knows
// no domain; handlers decide what is shown.
package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"gatehouse/web"
)

// Renderer renders pages; all templates are parsed when it is made.
type Renderer struct{ pages map[string]*template.Template }

// New parses the named pages, each with the layout. Pages find their style
// sheet and images below the URL path assets, where Assets are to be mounted.
func New(assets string, names ...string) (*Renderer, error) {
	versions, err := assetVersions()
	if err != nil {
		return nil, err
	}
	functions := template.FuncMap{"asset": func(name string) (string, error) {
		version, ok := versions[name]
		if !ok {
			return "", fmt.Errorf("there is no asset %s", name)
		}
		return assets + name + "?v=" + version, nil
	}}
	r := &Renderer{pages: map[string]*template.Template{}}
	for _, name := range names {
		t, err := template.New("layout.html").Option("missingkey=error").Funcs(functions).
			ParseFS(web.Templates, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = t
	}
	return r, nil
}

// Write renders a page and writes it with the given status. Nothing is
// written when rendering fails. The page's forms may lead to this server and
// to the further CSP sources formTargets, which must hold no semicolon,
// comma or space.
func (r *Renderer) Write(w http.ResponseWriter, status int, name string, data any, formTargets ...string) error {
	t, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %s", name)
	}
	var body bytes.Buffer
	if err := t.Execute(&body, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	targets := strings.Join(append([]string{"'self'"}, formTargets...), " ")
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action "+targets+
		"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
	return nil
}

// Assets are the files of web/static.
type Assets struct{ versions map[string]string }

// NewAssets reads what there is.
func NewAssets() (*Assets, error) {
	versions, err := assetVersions()
	return &Assets{versions}, err
}

// Write writes the file of the given name; false when there is none. Names are
// compared exactly, so that nothing else of the program can be asked for. What
// is asked for with its version may be kept for good.
func (a *Assets) Write(w http.ResponseWriter, r *http.Request, name string) bool {
	version, ok := a.versions[name]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	if r.URL.RawQuery == "v="+version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, web.Static, "static/"+name)
	return true
}

// assetVersions maps the name of each file in web/static to a hash of it.
func assetVersions() (map[string]string, error) {
	entries, err := fs.ReadDir(web.Static, "static")
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	versions := map[string]string{}
	for _, entry := range entries {
		content, err := fs.ReadFile(web.Static, "static/"+entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(content)
		versions[entry.Name()] = base64.RawURLEncoding.EncodeToString(sum[:9])
	}
	return versions, nil
}
