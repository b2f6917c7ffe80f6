package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// grant is one way to get tokens.
type grant struct {
	name    string
	client  bool    // a client takes part, and a refresh token is due
	service bool    // of /v3/tokens
	renew   bool    // with a refresh token in place of a password
	target  float64 // signatures' worth of CPU that a reply may cost
}

var grants = []grant{
	{name: "password, no client", target: 1.25},
	{name: "password, client", client: true, target: 2.3},
	{name: "refresh", client: true, renew: true, target: 2.3},
}

// people are testuser1 to testuser10; each one's password is the name.
const people = 10

// office is the token endpoint with people who have a client each: as many
// as the throttling of parallel attempts asks for.
type office struct {
	server   *server
	book     *book
	clients  [people]credentials
	password string // of the services; empty: not known
}

type credentials struct{ id, key string }

func username(person int) string { return fmt.Sprintf("testuser%d", person+1) }

// openOffice reads the published keys and registers the clients.
func openOffice(ctx context.Context, s *server) (*office, error) {
	keys, err := s.publishedKeys(ctx)
	if err != nil {
		return nil, err
	}
	o := &office{server: s, book: newBook(s.baseURL()+"/v3/tokens", keys)}
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
	r, _, err := c.exchange(post("/v3/oauth2/clients", o.server.host, "X-Tapis-Token: "+v.access+"\r\n", object("client_id", id)))
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

// askers connects n visitors. Those who renew have a refresh token already.
func (o *office) askers(ctx context.Context, g grant, n int) ([]asker, error) {
	if g.service {
		return o.clerks(ctx, n)
	}
	list := make([]asker, 0, n)
	for i := range n {
		c, err := dial(ctx, o.server.addr)
		if err != nil {
			hangUp(list)
			return nil, err
		}
		v := &visitor{office: o, conn: c, person: i % people, client: g.client}
		list = append(list, v)
		v.prepare()
		if !g.renew {
			continue
		}
		if _, err := v.ask(); err != nil {
			hangUp(list)
			return nil, fmt.Errorf("first tokens: %w", err)
		}
		v.renew = true
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
		c := v.office.clients[v.person]
		v.headers = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.key)) + "\r\n"
	}
	name := username(v.person)
	v.request = v.post("grant_type", "password", "username", name, "password", name)
}

func (v *visitor) post(members ...string) []byte {
	return post("/v3/oauth2/tokens", v.office.server.host, v.headers, object(members...))
}

// ask implements asker.
func (v *visitor) ask() (time.Duration, error) {
	want := expected{username: username(v.person), grantType: "password", asked: time.Now()}
	request := v.request
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
