package authn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gatehouse/internal/authn"
)

func TestAGoodTokenIsRead(t *testing.T) {
	var c authn.Claims
	if err := newVerifier().Verify(t.Context(), signed(t, header(nil), claims(object{"tapis/client_id": "portal"})), wanted,
		&c); err != nil {
		t.Fatal(err)
	}
	if c.ID != "5b1f9f0c-8b4f-4f6e-9a53-0d3f5e7d1c11" || c.Issuer != issuer || c.Subject != "testuser1@dev" || c.TenantID != "dev" ||
		c.TokenType != "access" || c.Username != "testuser1" || c.AccountType != "user" || !c.ExpiresAt.Equal(now.Add(time.Hour)) ||
		c.ClientID == nil || *c.ClientID != "portal" || len(c.Audience) != 0 {
		t.Errorf("read %+v", c)
	}
}

func TestAGoodTokenIsReadIntoALargerSetOfClaims(t *testing.T) {
	var c struct {
		authn.Claims

		Delegation bool `json:"tapis/delegation"`
	}
	err := newVerifier().Verify(t.Context(), signed(t, header(nil), claims(object{"tapis/delegation": true})), wanted, &c)
	if err != nil || !c.Delegation || c.Username != "testuser1" {
		t.Errorf("read %+v, %v", c, err)
	}
	err = newVerifier().Verify(t.Context(), signed(t, header(nil), claims(object{"iss": "x"})), wanted, &c)
	if !errors.Is(err, authn.ErrIssuer) {
		t.Errorf("the shared claims are not checked: %v", err)
	}
}

func TestClaimsDecideWhetherATokenIsGood(t *testing.T) {
	at := func(d time.Duration) float64 { return float64(now.Add(d).UnixMilli()) / 1000 }
	for name, test := range map[string]struct {
		changes object
		want    error
	}{
		"nothing changed":         {nil, nil},
		"expired an hour ago":     {object{"exp": at(-time.Hour)}, authn.ErrExpired},
		"expires now":             {object{"exp": at(0)}, authn.ErrExpired},
		"expires within a second": {object{"exp": at(900 * time.Millisecond)}, authn.ErrExpired},
		"a second to go":          {object{"exp": at(time.Second)}, nil},
		"a second and a bit":      {object{"exp": at(1900 * time.Millisecond)}, nil},
		"a hundred years to go":   {object{"exp": at(100 * 365 * 24 * time.Hour)}, nil},
		"exp 0":                   {object{"exp": 0}, authn.ErrExpired},
		"exp below 0":             {object{"exp": -1e12}, authn.ErrExpired},
		"exp in milliseconds":     {object{"exp": now.Add(time.Hour).UnixMilli()}, nil},
		"no exp":                  {object{"exp": nil}, authn.ErrMalformed},
		"exp no number":           {object{"exp": "tomorrow"}, authn.ErrMalformed},
		"exp a date":              {object{"exp": "2032-01-01T00:00:00Z"}, authn.ErrMalformed},
		"exp true":                {object{"exp": true}, authn.ErrMalformed},
		"exp a list":              {object{"exp": []int64{now.Add(time.Hour).Unix()}}, authn.ErrMalformed},
		"another tenant":          {object{"tapis/tenant_id": "other"}, authn.ErrTenant},
		"tenant in capitals":      {object{"tapis/tenant_id": "DEV"}, authn.ErrTenant},
		"no tenant":               {object{"tapis/tenant_id": nil}, authn.ErrTenant},
		"a list of tenants":       {object{"tapis/tenant_id": []string{"dev"}}, authn.ErrMalformed},
		"a refresh token":         {object{"tapis/token_type": "refresh"}, authn.ErrTokenType},
		"no type":                 {object{"tapis/token_type": nil}, authn.ErrTokenType},
		"another issuer":          {object{"iss": "https://other.example.org/v3/tokens"}, authn.ErrIssuer},
		"issuer with a slash":     {object{"iss": issuer + "/"}, authn.ErrIssuer},
		"issuer of ID tokens":     {object{"iss": "https://dev.example.org/v3/oauth2"}, authn.ErrIssuer},
		"no issuer":               {object{"iss": nil}, authn.ErrIssuer},
		"an audience":             {object{"aud": "portal"}, authn.ErrMalformed},
		"audiences":               {object{"aud": []string{"portal"}}, authn.ErrMalformed},
		"an empty audience":       {object{"aud": ""}, authn.ErrMalformed},
		"no jti":                  {object{"jti": nil}, authn.ErrMalformed},
		"an empty jti":            {object{"jti": ""}, authn.ErrMalformed},
		"jti a number":            {object{"jti": 7}, authn.ErrMalformed},
		"no sub":                  {object{"sub": nil}, authn.ErrMalformed},
		"an empty sub":            {object{"sub": ""}, authn.ErrMalformed},
		"not yet valid":           {object{"nbf": at(time.Hour), "iat": at(time.Hour)}, nil}, // exp alone is about time
		"unknown claims":          {object{"tapis/new": object{"a": 1}}, nil},
	} {
		check(t, name, signed(t, header(nil), claims(test.changes)), test.want)
	}
}

func TestARefreshTokenIsGoodWhereOneIsWanted(t *testing.T) {
	want := wanted
	want.TokenType = authn.RefreshToken
	for kind, err := range map[string]error{"refresh": nil, "access": authn.ErrTokenType} {
		var c authn.Claims
		got := newVerifier().Verify(t.Context(), signed(t, header(nil), claims(object{"tapis/token_type": kind})), want, &c)
		if !errors.Is(got, err) || (got == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", kind, got, err)
		}
	}
}

func TestTheHeaderDecidesWhichKeyAndNeverWhichAlgorithm(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := publicPEM(t, devKey())
	with := func(method jwt.SigningMethod, key any) string {
		return compact(t, method, key, header(object{"alg": method.Alg()}), claims(nil))
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"no typ":               {signed(t, header(object{"typ": nil}), claims(nil)), nil},
		"another typ":          {signed(t, header(object{"typ": "at+jwt"}), claims(nil)), nil},
		"another key as dev-1": {compact(t, jwt.SigningMethodRS256, otherKey(), header(nil), claims(nil)), authn.ErrSignature},
		"the key of another tenant": {
			compact(t, jwt.SigningMethodRS256, otherKey(), header(object{"kid": "other-1"}), claims(nil)),
			authn.ErrUnknownKey,
		},
		"an unknown kid":              {signed(t, header(object{"kid": "dev-2"}), claims(nil)), authn.ErrUnknownKey},
		"a path as kid":               {signed(t, header(object{"kid": "../../dev/null"}), claims(nil)), authn.ErrUnknownKey},
		"an empty kid":                {signed(t, header(object{"kid": ""}), claims(nil)), authn.ErrUnknownKey},
		"no kid":                      {signed(t, header(object{"kid": nil}), claims(nil)), authn.ErrUnknownKey},
		"kid a number":                {signed(t, header(object{"kid": 1}), claims(nil)), authn.ErrUnknownKey},
		"kid a list":                  {signed(t, header(object{"kid": []string{"dev-1"}}), claims(nil)), authn.ErrUnknownKey},
		"kid null":                    {signed(t, `{"alg":"RS256","kid":null}`, claims(nil)), authn.ErrUnknownKey},
		"alg none":                    {with(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), authn.ErrSignature},
		"alg none, signed":            {signed(t, header(object{"alg": "none"}), claims(nil)), authn.ErrSignature},
		"alg None":                    {signed(t, header(object{"alg": "None"}), claims(nil)), authn.ErrMalformed},
		"alg rs256":                   {signed(t, header(object{"alg": "rs256"}), claims(nil)), authn.ErrMalformed},
		"no alg":                      {signed(t, header(object{"alg": nil}), claims(nil)), authn.ErrMalformed},
		"alg a list":                  {signed(t, header(object{"alg": []string{"RS256"}}), claims(nil)), authn.ErrMalformed},
		"the public key as HS256 key": {with(jwt.SigningMethodHS256, public), authn.ErrSignature},
		"the same on one line":        {with(jwt.SigningMethodHS256, []byte(strings.TrimSpace(string(public)))), authn.ErrSignature},
		"an empty HS256 key":          {with(jwt.SigningMethodHS256, []byte{}), authn.ErrSignature},
		"HS256 said to be RS256":      {compact(t, jwt.SigningMethodHS256, public, header(nil), claims(nil)), authn.ErrSignature},
		"RS384":                       {with(jwt.SigningMethodRS384, devKey()), authn.ErrSignature},
		"RS512":                       {with(jwt.SigningMethodRS512, devKey()), authn.ErrSignature},
		"PS256":                       {with(jwt.SigningMethodPS256, devKey()), authn.ErrSignature},
		"PS256 said to be RS256":      {compact(t, jwt.SigningMethodPS256, devKey(), header(nil), claims(nil)), authn.ErrSignature},
		"RS512 said to be RS256":      {compact(t, jwt.SigningMethodRS512, devKey(), header(nil), claims(nil)), authn.ErrSignature},
		"ES256":                       {with(jwt.SigningMethodES256, curve), authn.ErrSignature},
		"an embedded key": {compact(t, jwt.SigningMethodRS256, otherKey(), header(object{
			"jwk": object{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(otherKey().N.Bytes()), "e": "AQAB"},
		}), claims(nil)), authn.ErrSignature},
		"a linked key": {compact(t, jwt.SigningMethodRS256, otherKey(), header(object{"jku": "https://evil.example.org/jwks"}),
			claims(nil)), authn.ErrSignature},
	} {
		check(t, name, test.token, test.want)
	}
}

func TestATokenThatWasTamperedWithIsRefused(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	part := strings.Split(good, ".")
	replaced := func(i int, text string) string {
		p := append([]string{}, part...)
		p[i] = text
		return strings.Join(p, ".")
	}
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"another user":            {replaced(1, encode(t, claims(object{"tapis/username": "admin"}))), authn.ErrSignature},
		"a later exp":             {replaced(1, encode(t, claims(object{"exp": now.Add(time.Hour * 9).Unix()}))), authn.ErrSignature},
		"an earlier exp":          {replaced(1, encode(t, claims(object{"exp": 1}))), authn.ErrSignature},
		"another typ":             {replaced(0, encode(t, header(object{"typ": "x"}))), authn.ErrSignature},
		"another order of claims": {replaced(1, encode(t, `{"sub":"a",`+`"tapis/tenant_id":"dev"}`)), authn.ErrSignature},
		"no signature":            {replaced(2, ""), authn.ErrSignature},
		"a shorter signature":     {replaced(2, part[2][:len(part[2])-2]), authn.ErrSignature},
		"a longer signature":      {replaced(2, part[2][:len(part[2])-2]+"AAAA"), authn.ErrSignature},
		"a signature of zeros":    {replaced(2, encode(t, strings.Repeat("\x00", 256))), authn.ErrSignature},
		"a signature of ones":     {replaced(2, encode(t, strings.Repeat("\xff", 256))), authn.ErrSignature},
		"another token's signature": {
			replaced(2, strings.Split(signed(t, header(nil), claims(object{"jti": "x"})), ".")[2]),
			authn.ErrSignature,
		},
	} {
		check(t, name, test.token, test.want)
	}
}

func TestATokenOfAnotherFormIsMalformed(t *testing.T) {
	good := signed(t, header(nil), claims(nil))
	part := strings.Split(good, ".")
	last := part[2][len(part[2])-1]
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	loose := string(alphabet[strings.IndexByte(alphabet, last)|1]) // sets bits that a decoder may ignore
	for name, token := range map[string]string{
		"nothing":            "",
		"one part":           part[0],
		"two parts":          part[0] + "." + part[1],
		"four parts":         good + ".",
		"five parts, a JWE":  strings.Join([]string{part[0], part[1], part[2], part[1], part[2]}, "."),
		"only dots":          "..",
		"many dots":          strings.Repeat(".", 10000),
		"an empty payload":   part[0] + ".." + part[2],
		"an empty header":    "." + part[1] + "." + part[2],
		"a scheme before it": "Bearer " + good,
		"a blank before it":  " " + good,
		"a blank after it":   good + " ",
		"a tab after it":     good + "\t",
		"a NUL after it":     good + "\x00",
		"a line after it":    good + "\n",
		"a CR after it":      good + "\r",
		"a line within":      good[:len(good)-9] + "\r\n" + good[len(good)-9:],
		"a line before it":   "\n" + good,
		"padding":            good + "=",
		"more padding":       good + "==",
		"loose last bits":    good[:len(good)-1] + loose,
		"the other alphabet": part[0] + "." + part[1] + "." +
			base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\xff\xef", 128))),
		"not ASCII":           good + "é",
		"invalid UTF-8":       good + "\xff",
		"a payload of text":   signed(t, header(nil), `"text"`),
		"a payload of a list": signed(t, header(nil), `[]`),
		"a broken payload":    signed(t, header(nil), `{"exp":`),
		"two payloads":        signed(t, header(nil), `{}{}`),
		"an endless exp":      signed(t, header(nil), `{"tapis/tenant_id":"dev","exp":1e400}`),
		"deep nesting":        signed(t, header(nil), strings.Repeat("[", 11000)),
		"a header of null":    signed(t, `null`, claims(nil)),
		"a header of a list":  signed(t, `["RS256"]`, claims(nil)),
		"a broken header":     signed(t, `{"alg":"RS256"`, claims(nil)),
	} {
		check(t, name, token, authn.ErrMalformed)
	}
	check(t, "a payload of null", signed(t, header(nil), `null`), authn.ErrTenant)
}

func TestATokenIsLimitedTo16KiB(t *testing.T) {
	const limit = 16 << 10
	size := func(filler int) string {
		return signed(t, header(nil), claims(object{"filler": strings.Repeat("x", filler)}))
	}
	filler := (limit - len(size(0))) / 4 * 3
	for len(size(filler+1)) <= limit {
		filler++
	}
	check(t, fmt.Sprintf("%d bytes", len(size(filler))), size(filler), nil)
	check(t, fmt.Sprintf("%d bytes", len(size(filler+1))), size(filler+1), authn.ErrMalformed)
	check(t, "a mebibyte", size(1<<20), authn.ErrMalformed)
}

// Only a tenant's own key could make such tokens, so the ways in which JSON
// readers differ are no danger; here is how this one reads them.
func TestOddJSONUnderAGoodSignatureIsReadAsGoReadsIt(t *testing.T) {
	text := func(more string) string {
		return `{"jti":"a","iss":"` + issuer + `","sub":"a","tapis/tenant_id":"dev","tapis/token_type":"access",` + more + `}`
	}
	future := fmt.Sprint(now.Add(time.Hour).Unix())
	for name, test := range map[string]struct {
		payload string
		want    error
	}{
		"the last of two counts":       {text(`"exp":1,"exp":` + future), nil},
		"even if it is the worse":      {text(`"exp":` + future + `,"exp":1`), authn.ErrExpired},
		"in any letter case":           {text(`"exp":` + future + `,"EXP":1`), authn.ErrExpired},
		"a number in quotation marks":  {text(`"exp":"` + future + `"`), nil},
		"nobody as audience":           {text(`"aud":[],"exp":` + future), nil},
		"null as audience":             {text(`"aud":null,"exp":` + future), nil},
		"a second type":                {text(`"tapis/token_type":"refresh","exp":` + future), authn.ErrTokenType},
		"a second tenant":              {text(`"tapis/tenant_id":"other","exp":` + future), authn.ErrTenant},
		"an empty object as header":    {text(`"exp":` + future + `,"header":{}`), nil},
		"an exponent":                  {text(`"exp":2e9`), nil},
		"exp null after exp is no exp": {text(`"exp":` + future + `,"exp":null`), authn.ErrMalformed},
	} {
		check(t, name, signed(t, header(nil), test.payload), test.want)
	}
	check(t, "the last kid counts", signed(t, `{"alg":"RS256","kid":"x","kid":"dev-1"}`, claims(nil)), nil)
}

func TestKeysThatCannotBeAskedAreNoRefusal(t *testing.T) {
	away := errors.New("the database is away")
	v := authn.NewVerifier(keyring{away: away}, func() time.Time { return now })
	var c authn.Claims
	if err := v.Verify(t.Context(), signed(t, header(nil), claims(nil)), wanted, &c); !errors.Is(err, away) || authn.IsRefusal(err) {
		t.Errorf("got %v, a refusal: %t", err, authn.IsRefusal(err))
	}
}

func TestARefusalIsRecognisedThroughWrapping(t *testing.T) {
	for _, err := range []error{
		authn.ErrMalformed, authn.ErrSignature, authn.ErrExpired, authn.ErrTenant, authn.ErrIssuer, authn.ErrTokenType,
		authn.ErrUnknownKey, authn.ErrRevoked,
	} {
		if !authn.IsRefusal(err) || !authn.IsRefusal(fmt.Errorf("check: %w", err)) {
			t.Errorf("%v is not seen as a refusal", err)
		}
	}
	if authn.IsRefusal(nil) || authn.IsRefusal(errors.New("the token is malformed")) {
		t.Error("anything is a refusal")
	}
}

// check verifies token and compares the outcome; errors must be refusals that
// do not repeat the token.
func check(t *testing.T, name, token string, want error) {
	t.Helper()
	var c authn.Claims
	err := newVerifier().Verify(t.Context(), token, wanted, &c)
	if (err == nil) != (want == nil) || !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
		return
	}
	if err == nil {
		return
	}
	if !authn.IsRefusal(err) {
		t.Errorf("%s: %v is not seen as a refusal", name, err)
	}
	for _, secret := range []string{"eyJ", "testuser1", "5b1f9f0c"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
}
