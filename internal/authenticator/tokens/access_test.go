package tokens_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
)

func TestARecordedAccessTokenNamesItsCaller(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, clientID := range []string{"", "portal"} {
			pair := f.issue(request(tacc, clientID))
			got, err := f.Access(t.Context(), tacc, pair.Access.Value)
			want := authn.Caller{
				Username: "apitest", TenantID: "tacc", AccountType: authn.UserAccount, ClientID: clientID, TokenID: pair.Access.ID,
				TokenExpiry: pair.Access.ExpiresAt, GrantBegan: 1,
			}
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	})
}

func TestATokenThatWasNeverRecordedIsRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.mint(request(tacc, "portal")).Pair
		f.wantVoid(tacc, "portal", pair)
	})
}

func TestTokensOfOneTenantAreNothingInAnother(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(request(tacc, "portal"))
		f.issue(request(dev, "portal")) // the same person and client id there
		f.wantAccess(dev, pair.Access.Value, authn.ErrTenant)
		f.wantRefresh(dev, "portal", pair.Refresh.Value, tokens.ErrRefused)
		f.wantAccess(tokens.Tenant{ID: tacc.ID, Issuer: dev.Issuer}, pair.Access.Value, authn.ErrIssuer)
		f.wantRefresh(tokens.Tenant{ID: tacc.ID, Issuer: dev.Issuer}, "portal", pair.Refresh.Value, authn.ErrIssuer)
		f.wantGood(tacc, "portal", pair)
	})
}

func TestTheKeyOfOneTenantSignsNothingForAnother(t *testing.T) {
	f := onSQLite(t)
	genuine := f.issue(request(tacc, "portal"))
	key, err := f.Keys().Active(t.Context(), dev.ID)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := key.Sign(rawJSON(authtest.Part(t, genuine.Access.Value, 1)))
	if err != nil {
		t.Fatal(err)
	}
	f.wantAccess(tacc, forged, authn.ErrUnknownKey)
	// The same with the key id of the tenant that is attacked.
	parts, signed := strings.Split(genuine.Access.Value, "."), strings.Split(forged, ".")
	f.wantAccess(tacc, parts[0]+"."+parts[1]+"."+signed[2], authn.ErrSignature)
}

// rawJSON is JSON that is signed as it is.
type rawJSON string

// MarshalJSON returns the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestTextThatIsNoTokenOfOursIsRefused(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(request(tacc, "portal"))
	encode := base64.RawURLEncoding.EncodeToString
	parts := strings.Split(pair.Access.Value, ".")
	claims := authtest.Part(t, pair.Access.Value, 1)
	for name, raw := range map[string]string{
		"empty":                    "",
		"a word":                   "token",
		"empty parts":              "..",
		"NUL bytes":                "\x00.\x00.\x00",
		"invalid UTF-8":            "\xff.\xfe.\xfd",
		"no signature":             parts[0] + "." + parts[1] + ".",
		"cut":                      pair.Access.Value[:len(pair.Access.Value)-2],
		"one part more":            pair.Access.Value + "." + parts[2],
		"padded":                   pair.Access.Value + "==",
		"alg none":                 encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
		"alg HS256":                encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
		"no key id":                encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + parts[1] + "." + parts[2],
		"key id is no text":        encode([]byte(`{"alg":"RS256","typ":"JWT","kid":7}`)) + "." + parts[1] + "." + parts[2],
		"other claims":             parts[0] + "." + encode([]byte(strings.Replace(claims, "apitest", "admin", 2))) + "." + parts[2],
		"two tokens":               pair.Access.Value + " " + pair.Access.Value,
		"larger than any of ours":  pair.Access.Value + strings.Repeat("A", 17<<10),
		"unused bits at its end":   flipUnusedBits(pair.Access.Value),
		"the refresh token itself": pair.Refresh.Value,
	} {
		if _, err := f.Access(t.Context(), tacc, raw); !authn.IsRefusal(err) {
			t.Errorf("%s as an access token: %v", name, err)
		}
		if raw == pair.Refresh.Value {
			continue
		}
		if _, err := f.Present(t.Context(), tacc, "portal", raw); !errors.Is(err, tokens.ErrRefused) {
			t.Errorf("%s as a refresh token: %v", name, err)
		}
	}
}

// flipUnusedBits writes the same signature in another way: 256 bytes leave
// four bits of the last base64 digit without meaning.
func flipUnusedBits(raw string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, raw[len(raw)-1])
	return raw[:len(raw)-1] + digits[last^1:last^1+1]
}

func TestATokenOfOneTypeDoesNotPassForTheOther(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(request(tacc, "portal"))
	f.wantAccess(tacc, pair.Refresh.Value, authn.ErrTokenType)
	f.wantRefresh(tacc, "portal", pair.Access.Value, authn.ErrTokenType)
	f.wantRefresh(tacc, "portal", pair.Access.Value, tokens.ErrRefused)
	// Not even when the record says so.
	f.Exec(`UPDATE issued_tokens SET token_type = CASE token_type WHEN 'access' THEN 'refresh' ELSE 'access' END`)
	f.wantVoid(tacc, "portal", pair)
}

func TestTokensEndAtTheSecondTheyClaim(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(request(tacc, "portal"))
	f.Clock.Advance(pair.Access.ExpiresAt.Sub(f.Clock.Now()) - time.Microsecond)
	f.wantAccess(tacc, pair.Access.Value, nil)
	f.Clock.Advance(time.Microsecond)
	f.wantAccess(tacc, pair.Access.Value, authn.ErrExpired)
	f.Clock.Advance(pair.Refresh.ExpiresAt.Sub(f.Clock.Now()) - time.Microsecond)
	f.wantRefresh(tacc, "portal", pair.Refresh.Value, nil)
	f.Clock.Advance(time.Microsecond)
	f.wantRefresh(tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
	f.wantRefresh(tacc, "portal", pair.Refresh.Value, authn.ErrExpired)
}

func TestRevokingAClientVoidsAllItsTokensAndNobodyElses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		before := f.issue(request(tacc, "portal"))
		inFlight := f.mint(request(tacc, "portal"))
		other, elsewhere, own := f.issue(request(tacc, "notebook")), f.issue(request(dev, "portal")), f.issue(request(tacc, ""))
		for range 2 { // repeating it is no error
			f.Must(f.RevokeClient(t.Context(), tacc.ID, "portal"))
		}
		// A request that began before the client was switched off ends after.
		f.Clock.Advance(time.Minute)
		f.record(inFlight)
		after := f.issue(request(tacc, "portal"))
		f.wantVoid(tacc, "portal", before, inFlight.Pair, after)
		f.wantGood(tacc, "notebook", other)
		f.wantGood(dev, "portal", elsewhere)
		f.wantAccess(tacc, own.Access.Value, nil)
	})
}

func TestAUserMarkVoidsWhatWasIssuedBeforeIt(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		before := f.issue(request(tacc, "portal"))
		f.Clock.Advance(time.Second)
		f.Exec(`INSERT INTO revocation_marks (tenant_id, kind, name, issued_before) VALUES ('tacc', 'user', 'apitest', ?)`,
			f.Clock.Now().UnixMicro())
		after := f.issue(request(tacc, "portal"))
		f.wantVoid(tacc, "portal", before)
		f.wantGood(tacc, "portal", after)
	})
}

func TestWithoutADatabaseNothingIsSaidAboutATokenAndNoneIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(request(tacc, "portal"))
		r := f.present(tacc, "portal", pair.Refresh.Value)
		first, second := f.mint(request(tacc, "portal")), f.mint(next(tacc, "portal", r))
		f.Must(f.DB.Close())
		ctx := t.Context()
		_, access := f.Access(ctx, tacc, pair.Access.Value)
		_, present := f.Present(ctx, tacc, "portal", pair.Refresh.Value)
		for name, err := range map[string]error{
			"Access": access, "Present": present, "Record": f.Record(ctx, first),
			"Rotate": f.Rotate(ctx, r, second), "RevokeClient": f.RevokeClient(ctx, tacc.ID, "portal"),
		} {
			if !apierr.Is(err, apierr.Unavailable) || authn.IsRefusal(err) || errors.Is(err, tokens.ErrRefused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := f.Sweep(ctx); err == nil {
			t.Error("Sweep saw no failure")
		}
	})
}

func TestACallerWhoGoesAwayIsNotToldThatTheDatabaseIs(t *testing.T) {
	f := onSQLite(t)
	pair := f.issue(request(tacc, "portal"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Access(ctx, tacc, pair.Access.Value); !errors.Is(err, context.Canceled) || apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func FuzzTextThatWasNotIssuedIsNeverAccepted(f *testing.F) {
	const header = `{"alg":"RS256","typ":"JWT","kid":"a"}`
	const claims = `{"jti":"1","sub":"a@tacc","iss":"https://tacc.tapis.io/v3/tokens","exp":9e9,"tapis/tenant_id":"tacc",` +
		`"tapis/token_type":"access"}`
	f.Add(header, claims, "c2lnbmF0dXJl")
	f.Add(`{"alg":"none"}`, claims, "")
	f.Add("", "", "")
	f.Add(`{"alg":"RS256","kid":null}`, `{"exp":"soon"}`, "=")
	f.Add(header, `{"aud":{},"exp":1e400}`, "\x00")
	signing := onSQLite(f).Keys()
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		// Everything that is refused here is refused before a row is read.
		s := tokens.New(tokens.Deps{Keys: signing, Now: time.Now})
		encode := base64.RawURLEncoding.EncodeToString
		for _, raw := range []string{
			header + "." + claims + "." + signature, encode([]byte(header)) + "." + encode([]byte(claims)) + "." + signature,
		} {
			if _, err := s.Access(t.Context(), tacc, raw); !authn.IsRefusal(err) {
				t.Errorf("access token: %v", err)
			}
			if _, err := s.Present(t.Context(), tacc, "portal", raw); !errors.Is(err, tokens.ErrRefused) {
				t.Errorf("refresh token: %v", err)
			}
		}
	})
}
