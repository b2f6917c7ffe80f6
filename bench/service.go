package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// service is who asks for service tokens.
const service = "files"

// serviceGrant is not a grant of OAuth: a service with its password at
// /v3/tokens.
var serviceGrant = kind{name: "service, password", target: 1.25, signs: true, askers: clerks}

// clerk asks for service tokens again and again.
type clerk struct {
	*conn

	office  *office
	request []byte
}

// clerks connects n of them.
func clerks(ctx context.Context, o *office, _ plan, n int) ([]asker, error) {
	self := credentials{id: service, key: o.password}
	request := post("/v3/tokens", o.server.host, self.header()+"X-Tapis-Tenant: admin\r\nX-Tapis-User: "+service+"\r\n",
		[]byte(`{"token_username":"`+service+`","token_tenant_id":"admin","account_type":"service","target_site_id":"main","access_token_ttl":86400}`))
	return connect(ctx, o.server, n, func(c *conn, _ int) (asker, error) {
		return &clerk{conn: c, office: o, request: request}, nil
	})
}

// ask implements asker.
func (a *clerk) ask() (time.Duration, error) {
	asked := time.Now()
	r, took, err := a.exchange(a.request)
	if err != nil {
		return 0, err
	}
	return took, a.office.book.checkService(r, asked)
}

// checkService says what is wrong with a reply to a clerk.
func (b *book) checkService(r reply, asked time.Time) error {
	var got struct {
		Result struct {
			Access  tokenJSON  `json:"access_token"`
			Refresh *tokenJSON `json:"refresh_token"`
		} `json:"result"`
	}
	if r.status != http.StatusOK || r.contentType != "application/json" {
		return fmt.Errorf("the server answered %d, %s: %.200s", r.status, r.contentType, r.body)
	}
	if err := json.Unmarshal(r.body, &got); err != nil {
		return fmt.Errorf("decode reply: %w", err)
	}
	raw, said := got.Result.Access.AccessToken, got.Result.Access
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found || got.Result.Refresh != nil {
		return errors.New("it is not one compact JWT")
	}
	var c claims
	if err := decode(payload, &c); err != nil {
		return err
	}
	made := time.Unix(c.ExpiresAt, 0).Add(-time.Duration(said.ExpiresIn) * time.Second)
	if c.ID != said.ID || c.Subject != service+"@admin" || c.Tenant != "admin" || c.Type != "access" || c.Account != "service" ||
		said.ExpiresIn != 86400 || made.Before(asked.Add(-clockSlack)) || time.Until(made) > clockSlack {
		return fmt.Errorf("its claims are wrong: %+v", c)
	}
	b.mu.Lock()
	b.issued++
	b.mu.Unlock()
	return b.enter(raw, c.ID, header, signature)
}

// servicePassword reads what cmd/gatehouse keeps beside its data.
func (o *office) servicePassword(ctx context.Context, file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // a file of the server that was started here
	if err != nil {
		return fmt.Errorf("read the service password: %w", err)
	}
	o.password = strings.TrimSpace(string(text))
	admin := *o.server
	admin.host = strings.Replace(admin.host, "localhost", "127.0.0.1", 1)
	keys, err := admin.publishedKeys(ctx)
	if err != nil {
		return err
	}
	for id, key := range keys {
		o.book.keys[id] = key
	}
	return nil
}
