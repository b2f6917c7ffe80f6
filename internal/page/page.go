// Package page renders the templates of web/templates with the headers that
// keep a page safe: no scripts but our own, no framing, no caching, no
// referrer. It knows no domain; handlers decide what is shown.
package page

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"gatehouse/web"
)

// Renderer renders pages; all templates are parsed when it is made.
type Renderer struct{ pages map[string]*template.Template }

// New parses the named pages, each with the layout.
func New(names ...string) (*Renderer, error) {
	r := &Renderer{pages: map[string]*template.Template{}}
	for _, name := range names {
		t, err := template.New("layout.html").Option("missingkey=error").
			ParseFS(web.Templates, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = t
	}
	return r, nil
}

// Write renders a page and writes it with the given status. Nothing is
// written when rendering fails.
func (r *Renderer) Write(w http.ResponseWriter, status int, name string, data any) error {
	t, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("there is no page %s", name)
	}
	var body bytes.Buffer
	if err := t.Execute(&body, data); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
	return nil
}

// Static serves the files of web/static below /static/, and no listings.
func Static() http.Handler {
	files := http.FileServerFS(web.Static)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		files.ServeHTTP(w, r)
	})
}
