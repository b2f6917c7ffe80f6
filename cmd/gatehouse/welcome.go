package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/authenticator/pages"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/page"
)

// curl is a command that gets a first token.
func (s *site) curl() string {
	return "curl -s " + s.plan.addresses.dev + "/v3/oauth2/tokens -H 'Content-Type: application/json'" +
		` -d '{"grant_type": "password", "username": "testuser1", "password": "testuser1"}'`
}

// python are three lines that get a first token with the Python SDK.
func (s *site) python() []string {
	return []string{
		"from tapipy.tapis import Tapis",
		fmt.Sprintf(`t = Tapis(base_url="%s", username="testuser1", password="testuser1")`, s.plan.addresses.dev),
		"t.get_tokens(); print(t.access_token)",
	}
}

// banner tells a newcomer where the site is, who is in it, and how to get a
// first token with curl and with Python. A new password is shown to a terminal
// alone.
func (s *site) banner(w io.Writer, terminal bool) {
	a := s.plan.addresses
	fmt.Fprintf(w, `
Gatehouse %s: a Tapis primary site is running. Stop it with ctrl-C.

  Tenant dev     %s   people sign in here
  Tenant admin   %s   services belong here
  Registry       %s/v3/tenants
  Data           %s

  People of dev: testuser1 ... testuser10, testadmin, admin; each one's password is the name.
`, version, a.dev, a.admin, a.dev, string(s.data))
	accounts, file := strings.Join(serviceAccounts, ", "), s.data.path("service-password")
	switch {
	case s.newPassword == "":
	case terminal:
		fmt.Fprintf(w, `
  Service accounts %s share the password
      %s
  It is kept in %s and not shown again.
`, accounts, s.newPassword, file)
	default:
		fmt.Fprintf(w, `
  Service accounts %s share the password that is kept in
      %s
`, accounts, file)
	}
	fmt.Fprintf(w, `
Get a token with curl:

  %s

Or in Python, after "pip install tapipy":

  %s

`, s.curl(), strings.Join(s.python(), "\n  "))
}

// welcome shows the same in a browser.
func (s *site) welcome() (httpapi.Handler, error) {
	pages, err := page.New(pages.AssetPath, "welcome")
	if err != nil {
		return nil, err
	}
	type tenant struct{ ID, BaseURL, Description string }
	var shown []tenant
	for _, t := range s.plan.tenants {
		shown = append(shown, tenant{t.id, t.baseURL, t.description})
	}
	data := map[string]any{"Version": version, "Tenants": shown, "Curl": s.curl(), "Python": s.python()}
	return func(c *gin.Context) error {
		return pages.Write(c.Writer, http.StatusOK, "welcome", data)
	}, nil
}
