package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/database"
	"gatehouse/internal/devldap"
	"gatehouse/migrations"
)

// barePath is where a bare server has its answer.
const barePath = "/answer"

// startBare starts this program once more, as a bare server of a kind.
func (b *bench) startBare(ctx context.Context, kind string, a answer) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	given, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	return b.start(ctx, addr, "", bytes.NewReader(given), program, "-bare", kind)
}

// serveBare is that process. It uses Gin with nothing around the handlers.
func serveBare(ctx context.Context, kind string, in io.Reader) error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/readyz", func(c *gin.Context) { c.Status(http.StatusOK) })
	switch kind {
	case "answer":
		var a answer
		if err := json.NewDecoder(in).Decode(&a); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		engine.GET(barePath, a.write)
	case "issuer":
		issuer, err := newBareIssuer(ctx)
		if err != nil {
			return err
		}
		defer issuer.close()
		issuer.mount(engine)
	default:
		return fmt.Errorf("there is no bare server %q", kind)
	}
	s := &http.Server{Addr: os.Getenv("GATEHOUSE_LISTEN"), Handler: engine, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// write writes bytes that are ready.
func (a answer) write(c *gin.Context) {
	header := c.Writer.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	c.Status(a.Status)
	if len(a.Body) > 0 {
		_, _ = c.Writer.Write(a.Body)
	}
}

// bareIssuer gives out tokens as the authenticator does, and does nothing that
// could be left out: it reads the body, binds with the password over a kept
// connection to an LDAP server in its own process, signs, records the tokens
// with one prepared statement in SQLite, and writes the reply. There is no
// throttling, no tenant, no client's secret, no log, no family and no sealing.
// What it costs is the floor for ours.
type bareIssuer struct {
	dir         string
	key         *rsa.PrivateKey
	people      *devldap.Server
	connections chan *ldap.Conn // that nobody uses
	db          *database.DB
	one, two    *sql.Stmt // that record so many tokens
}

// newBareIssuer opens what it works with, until close.
func newBareIssuer(ctx context.Context) (_ *bareIssuer, err error) {
	b := &bareIssuer{connections: make(chan *ldap.Conn, 64)}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "gatehouse-bare-"); err != nil {
		return nil, err
	}
	if b.key, err = newKey(); err != nil {
		return nil, err
	}
	list := make([]devldap.Person, people)
	for i := range list {
		list[i] = devldap.Person{Username: username(i), Password: username(i)}
	}
	b.people, err = devldap.Start(devldap.Config{ //nolint:contextcheck // close ends it
		BaseDN: "dc=tapis", BindDN: "cn=reader,dc=tapis", BindPassword: rand.Text(), People: map[string][]devldap.Person{"dev": list},
	})
	if err != nil {
		return nil, err
	}
	b.db, err = database.Open(ctx, "sqlite:"+filepath.Join(b.dir, "bare.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if _, err := b.db.Migrate(ctx, migrations.Authenticator); err != nil {
		return nil, err
	}
	const row = "(?, ?, ?, '', 0, ?, ?, 'password', ?, ?, '', '', ?, 'pwd')"
	const insert = `INSERT INTO issued_tokens (tenant_id, jti, token_type, family_id, family_end, username, client_id, grant_type,
  create_time, expiry_time, scope, nonce, auth_time, amr) VALUES ` + row
	if b.one, err = b.db.Pool().PrepareContext(ctx, insert); err != nil {
		return nil, err
	}
	b.two, err = b.db.Pool().PrepareContext(ctx, insert+", "+row)
	return b, err
}

func (b *bareIssuer) close() {
	if b.db != nil {
		_ = b.db.Close()
	}
	if b.people != nil {
		_ = b.people.Close()
	}
	_ = os.RemoveAll(b.dir)
}

func (b *bareIssuer) mount(engine *gin.Engine) {
	debug.SetGCPercent(175) // as internal/server has it
	engine.POST(tokenPath, b.issue)
	engine.GET(jwksPath, b.jwks)
}

func (b *bareIssuer) jwks(c *gin.Context) {
	c.JSON(http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &b.key.PublicKey, KeyID: "bare"}}})
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
		ID: rand.Text(), ExpiresAt: ends.Unix(), bearer: bearer{Username: username, Account: "user", GrantType: "password"},
		origin: origin{Issuer: "http://" + r.Host + "/v3/tokens", Subject: username + "@dev", Tenant: "dev", Type: "access"},
	}
	id, _, isClient := r.BasicAuth()
	refresh := access
	if isClient {
		access.ClientID, access.Count = id, 0
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
