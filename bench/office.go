package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"
)

// kind is one thing that is asked for again and again.
type kind struct {
	name   string
	target float64 // signatures' worth of CPU that a reply may cost; 0: none is set
	signs  bool    // a reply costs signatures
	bare   bool    // of the bare server
	only   []int   // connections to measure with; nil: all
	askers func(ctx context.Context, o *office, p plan, n int) ([]asker, error)
}

// grants are the ways to get tokens in one request.
var grants = []kind{
	{name: "password, no client", target: 1.25, signs: true, askers: visitors(false, false)},
	{name: "bare server, 1 token", bare: true, signs: true, askers: visitors(false, false)},
	{name: "password, client", target: 2.3, signs: true, askers: visitors(true, false)},
	{name: "bare server, 2 tokens", bare: true, signs: true, askers: visitors(true, false)},
	{name: "refresh", target: 2.3, signs: true, askers: visitors(true, true)},
	{name: "code exchange", target: 2.4, signs: true, askers: redeemers},
}

const issuePath = "/v3/oauth2/tokens"

// people are testuser1 to testuser10; each one's password is the name.
const people = 10

// office is the token endpoint with people who have a client each: as many
// as the throttling of parallel attempts asks for.
type office struct {
	server   *server
	book     *book
	clients  [people]credentials
	browsers [people]*browser // signed in; nil: not yet
	address  netip.Addr       // from which device codes were asked for last
	password string           // of the services; empty: not known
}

type credentials struct{ id, key string }

// header is the one that the client sends.
func (c credentials) header() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.key)) + "\r\n"
}

func username(person int) string { return fmt.Sprintf("testuser%d", person+1) }

// openOffice reads the published keys and registers the clients.
func openOffice(ctx context.Context, s *server) (*office, error) {
	keys, err := s.publishedKeys(ctx)
	if err != nil {
		return nil, err
	}
	o := &office{server: s, book: newBook(keys), address: netip.AddrFrom4([4]byte{127, 1, 0, 0})}
	c, err := dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	for person := range o.clients {
		if o.clients[person], err = o.register(c, person); err != nil {
			return nil, fmt.Errorf("register a client of %s: %w", username(person), err)
		}
	}
	return o, nil
}

// register makes a client with a token of its owner.
func (o *office) register(c *conn, person int) (credentials, error) {
	v := visitor{office: o, conn: c, person: person}
	v.prepare()
	if _, err := v.ask(); err != nil {
		return credentials{}, err
	}
	id := "bench-" + username(person)
	r, _, err := c.exchange(post("/v3/oauth2/clients", o.server.host, "X-Tapis-Token: "+v.access+"\r\n", object("client_id", id, "callback_url", callback)))
	if err != nil {
		return credentials{}, err
	}
	var made struct {
		Result struct {
			Key string `json:"client_key"`
		} `json:"result"`
	}
	if r.status != http.StatusCreated {
		return credentials{}, fmt.Errorf("the server answered %d: %.200s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, &made); err != nil || made.Result.Key == "" {
		return credentials{}, errors.Join(errors.New("the answer has no client_key"), err)
	}
	return credentials{id: id, key: made.Result.Key}, nil
}

// expect says what a person is to get in the tenant dev.
func (o *office) expect(person int, grantType string) expected {
	return expected{tenant: "dev", issuer: o.server.baseURL() + "/v3/tokens", username: username(person), grantType: grantType, asked: time.Now()}
}

// redeem makes a request of a person's client for tokens, and what is due.
func (o *office) redeem(person int, grantType string, members ...string) ([]byte, expected) {
	client, want := o.clients[person], o.expect(person, grantType)
	want.clientID = client.id
	return post(issuePath, o.server.host, client.header(), object(append([]string{"grant_type", grantType}, members...)...)), want
}

// visitors connects people who give their password, with a client or without,
// or who renew the tokens that they have already.
func visitors(client, renew bool) func(context.Context, *office, plan, int) ([]asker, error) {
	return func(ctx context.Context, o *office, _ plan, n int) ([]asker, error) {
		return connect(ctx, o.server, n, func(c *conn, i int) (asker, error) {
			v := &visitor{office: o, conn: c, person: i % people, client: client}
			v.prepare()
			if !renew {
				return v, nil
			}
			if _, err := v.ask(); err != nil {
				return nil, fmt.Errorf("first tokens: %w", err)
			}
			v.renew = true
			return v, nil
		})
	}
}

// connect makes n askers with a connection each.
func connect(ctx context.Context, s *server, n int, newAsker func(c *conn, i int) (asker, error)) ([]asker, error) {
	list := make([]asker, 0, n)
	for i := range n {
		c, err := dial(ctx, s.addr)
		if err != nil {
			hangUp(list)
			return nil, err
		}
		a, err := newAsker(c, i)
		if err != nil {
			c.hangUp()
			hangUp(list)
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// visitor asks for tokens again and again.
type visitor struct {
	*conn

	office        *office
	person        int
	client, renew bool
	headers       string
	request       []byte // for a password
	access        string // the newest tokens
	refresh       string
	count         int // how often refresh was renewed
}

// prepare makes what does not change between requests.
func (v *visitor) prepare() {
	if v.client {
		v.headers = v.office.clients[v.person].header()
	}
	name := username(v.person)
	v.request = v.post("grant_type", "password", "username", name, "password", name)
}

func (v *visitor) post(members ...string) []byte {
	return post(issuePath, v.office.server.host, v.headers, object(members...))
}

// ask implements asker.
func (v *visitor) ask() (time.Duration, error) {
	want, request := v.office.expect(v.person, "password"), v.request
	if v.client {
		want.clientID = v.office.clients[v.person].id
	}
	if v.renew {
		request = v.post("grant_type", "refresh_token", "refresh_token", v.refresh)
		want.grantType, want.count = "refresh_token", v.count+1
	}
	r, took, err := v.exchange(request)
	if err != nil {
		return 0, err
	}
	if v.access, v.refresh, err = v.office.book.check(r, want); err != nil {
		return 0, err
	}
	v.count = want.count
	return took, nil
}

// object returns a JSON object of strings; no value needs escaping.
func object(members ...string) []byte {
	b := []byte{'{'}
	for i := 0; i+1 < len(members); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"%s":"%s"`, members[i], members[i+1])
	}
	return append(b, '}')
}
