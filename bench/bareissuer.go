package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/database"
	"gatehouse/internal/devldap"
	"gatehouse/migrations"
)

// bareIssuer gives out tokens as the authenticator does, and does nothing that
// could be left out: it reads the body, binds with the password over a kept
// connection to an LDAP server in its own process, signs, records the tokens
// with one prepared statement in SQLite, and writes the reply. There is no
// throttling, no tenant, no client's secret, no log, no family and no sealing.
// What it costs is the floor for ours.
type bareIssuer struct {
	key         *rsa.PrivateKey
	people      *devldap.Server
	connections chan *ldap.Conn // that nobody uses
	one, two    *sql.Stmt
}

// startBareIssuer starts it as a process of its own and returns an office of
// it. It asks for no registration.
func startBareIssuer(ctx context.Context) (*office, error) {
	s, err := startSelf(ctx, "-bareissuer", func(io.Writer) error { return nil })
	if err != nil {
		return nil, err
	}
	s.host = s.addr
	o, err := newBareOffice(ctx, s)
	if err != nil {
		s.stop()
	}
	return o, err
}

func newBareOffice(ctx context.Context, s *server) (*office, error) {
	keys, err := s.publishedKeys(ctx)
	if err != nil {
		return nil, err
	}
	o := &office{server: s, book: newBook(keys)}
	for person := range o.clients {
		o.clients[person] = credentials{id: "bench-" + username(person), key: "unread"}
	}
	return o, nil
}

// serveBareIssuer is that process: it says on out where it serves, and ends
// when in does.
func serveBareIssuer(ctx context.Context, in io.Reader, out io.Writer) error {
	dir, err := os.MkdirTemp("", "gatehouse-bare-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b := &bareIssuer{connections: make(chan *ldap.Conn, 64)}
	if b.key, err = newKey(); err != nil {
		return err
	}
	list := make([]devldap.Person, people)
	for i := range list {
		list[i] = devldap.Person{Username: username(i), Password: username(i)}
	}
	b.people, err = devldap.Start(devldap.Config{ //nolint:contextcheck // it is closed below
		BaseDN: "dc=tapis", BindDN: "cn=reader,dc=tapis", BindPassword: rand.Text(), People: map[string][]devldap.Person{"dev": list},
	})
	if err != nil {
		return err
	}
	defer func() { _ = b.people.Close() }()
	db, err := database.Open(ctx, "sqlite:"+filepath.Join(dir, "bare.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(ctx, migrations.Authenticator); err != nil {
		return err
	}
	const row = "(?, ?, ?, '', 0, ?, ?, 'password', ?, ?, '', '', ?, 'pwd')"
	const insert = `INSERT INTO issued_tokens (tenant_id, jti, token_type, family_id, family_end, username, client_id, grant_type,
  create_time, expiry_time, scope, nonce, auth_time, amr) VALUES ` + row
	if b.one, err = db.Pool().PrepareContext(ctx, insert); err != nil {
		return err
	}
	defer func() { _ = b.one.Close() }()
	if b.two, err = db.Pool().PrepareContext(ctx, insert+", "+row); err != nil {
		return err
	}
	defer func() { _ = b.two.Close() }()
	debug.SetGCPercent(175) // as internal/server has it
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST(issuePath, b.issue)
	engine.GET("/v3/oauth2/jwks", b.jwks)
	return serveUntil(ctx, engine, in, out)
}

func (b *bareIssuer) jwks(c *gin.Context) {
	encode := base64.RawURLEncoding.EncodeToString
	c.JSON(http.StatusOK, gin.H{"keys": []gin.H{{
		"kid": "bare", "n": encode(b.key.N.Bytes()), "e": encode(big.NewInt(int64(b.key.E)).Bytes()),
	}}})
}

func (b *bareIssuer) issue(c *gin.Context) {
	var req struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	err := json.NewDecoder(c.Request.Body).Decode(&req)
	if err == nil {
		err = b.bind("uid="+req.Username+",ou=dev,dc=tapis", req.Password)
	}
	var body []byte
	if err == nil {
		body, err = b.tokens(c.Request, req.Username)
	}
	if err != nil {
		c.String(http.StatusInternalServerError, "%s", err.Error())
		return
	}
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Data(http.StatusOK, "application/json", body)
}

// bind checks a password over a connection that nobody uses at the time.
func (b *bareIssuer) bind(dn, password string) (err error) {
	var conn *ldap.Conn
	select {
	case conn = <-b.connections:
	default:
		if conn, err = ldap.DialURL(b.people.URL()); err != nil {
			return err
		}
	}
	if err := conn.Bind(dn, password); err != nil {
		_ = conn.Close()
		return err
	}
	b.connections <- conn
	return nil
}

// tokens makes a reply with an access token and, for a client, a refresh token.
func (b *bareIssuer) tokens(r *http.Request, username string) ([]byte, error) {
	now, lifetime := time.Now(), int64(14_400)
	ends := now.Add(4 * time.Hour).Truncate(time.Second)
	access := claims{
		ID: rand.Text(), Issuer: "http://" + r.Host + "/v3/tokens", Subject: username + "@dev", Tenant: "dev", Type: "access",
		ExpiresAt: ends.Unix(), Username: username, Account: "user", GrantType: "password",
	}
	id, _, isClient := r.BasicAuth()
	refresh := access
	if isClient {
		access.ClientID, access.Count = &id, new(int)
		refresh.ID, refresh.Type, refresh.Access = rand.Text(), "refresh", &access
	}
	var reply replyJSON
	reply.Status, reply.TokenType, reply.ExpiresIn = "success", "Bearer", lifetime
	var err error
	if reply.AccessToken, err = b.sign(access); err != nil {
		return nil, err
	}
	reply.Result.Access = tokenJSON{AccessToken: reply.AccessToken, ExpiresAt: ends, ExpiresIn: lifetime, ID: access.ID}
	row := func(c claims) []any {
		return []any{"dev", c.ID, c.Type, username, id, now.UnixMicro(), ends.UnixMicro(), now.UnixMicro()}
	}
	if !isClient {
		_, err = b.one.ExecContext(context.WithoutCancel(r.Context()), row(access)...)
	} else {
		if reply.RefreshToken, err = b.sign(refresh); err != nil {
			return nil, err
		}
		reply.Result.Refresh = &tokenJSON{RefreshToken: reply.RefreshToken, ExpiresAt: ends, ExpiresIn: lifetime, ID: refresh.ID}
		_, err = b.two.ExecContext(context.WithoutCancel(r.Context()), append(row(access), row(refresh)...)...)
	}
	if err != nil {
		return nil, fmt.Errorf("record tokens: %w", err)
	}
	return json.Marshal(reply) //nolint:gosec // the tokens are what was asked for
}

// bareHeader is that of all tokens.
var bareHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"bare","typ":"JWT"}`)) + "."

func (b *bareIssuer) sign(c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed := bareHeader + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, b.key, crypto.SHA256, digest[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}
