package tokens_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
)

func TestARecordedAccessTokenNamesItsCaller(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, clientID := range []string{"", "portal"} {
			pair := w.issue(t, request(tacc, clientID))
			got, err := w.Access(t.Context(), tacc, pair.Access.Value)
			want := authn.Caller{
				Username: "apitest", TenantID: "tacc", AccountType: authn.UserAccount, ClientID: clientID, TokenID: pair.Access.ID,
				TokenExpiry: pair.Access.ExpiresAt,
			}
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		}
	})
}

func TestATokenThatWasNeverRecordedIsRefused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.mint(t, request(tacc, "portal")).Pair
		w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
		w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
	})
}

func TestTokensOfOneTenantAreNothingInAnother(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, request(tacc, "portal"))
		w.issue(t, request(dev, "portal")) // the same person and client id there
		w.wantAccess(t, dev, pair.Access.Value, authn.ErrTenant)
		w.wantRefresh(t, dev, "portal", pair.Refresh.Value, tokens.ErrRefused)
		w.wantAccess(t, tokens.Tenant{ID: tacc.ID, Issuer: dev.Issuer}, pair.Access.Value, authn.ErrIssuer)
		w.wantRefresh(t, tokens.Tenant{ID: tacc.ID, Issuer: dev.Issuer}, "portal", pair.Refresh.Value, authn.ErrIssuer)
		w.wantAccess(t, tacc, pair.Access.Value, nil)
		w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, nil)
	})
}

func TestTheKeyOfOneTenantSignsNothingForAnother(t *testing.T) {
	w := onSQLite(t)
	genuine := w.issue(t, request(tacc, "portal"))
	key, err := signing.Active(t.Context(), dev.ID)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := key.Sign(rawJSON(part(t, genuine.Access.Value, 1)))
	if err != nil {
		t.Fatal(err)
	}
	w.wantAccess(t, tacc, forged, authn.ErrUnknownKey)
	// The same with the key id of the tenant that is attacked.
	parts, signed := strings.Split(genuine.Access.Value, "."), strings.Split(forged, ".")
	w.wantAccess(t, tacc, parts[0]+"."+parts[1]+"."+signed[2], authn.ErrSignature)
}

// rawJSON is JSON that is signed as it is.
type rawJSON string

// MarshalJSON returns the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestTextThatIsNoTokenOfOursIsRefused(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, request(tacc, "portal"))
	encode := base64.RawURLEncoding.EncodeToString
	parts := strings.Split(pair.Access.Value, ".")
	claims := part(t, pair.Access.Value, 1)
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
		if _, err := w.Access(t.Context(), tacc, raw); !authn.IsRefusal(err) {
			t.Errorf("%s as an access token: %v", name, err)
		}
		if raw == pair.Refresh.Value {
			continue
		}
		if _, err := w.Present(t.Context(), tacc, "portal", raw); !errors.Is(err, tokens.ErrRefused) {
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
	w := onSQLite(t)
	pair := w.issue(t, request(tacc, "portal"))
	w.wantAccess(t, tacc, pair.Refresh.Value, authn.ErrTokenType)
	w.wantRefresh(t, tacc, "portal", pair.Access.Value, authn.ErrTokenType)
	w.wantRefresh(t, tacc, "portal", pair.Access.Value, tokens.ErrRefused)
	// Not even when the record says so.
	err := w.db.Conn(t.Context()).Exec(
		`UPDATE issued_tokens SET token_type = CASE token_type WHEN 'access' THEN 'refresh' ELSE 'access' END`).Error
	if err != nil {
		t.Fatal(err)
	}
	w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
	w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
}

func TestTokensEndAtTheSecondTheyClaim(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, request(tacc, "portal"))
	w.clock.advance(pair.Access.ExpiresAt.Sub(w.clock.now()) - time.Microsecond)
	w.wantAccess(t, tacc, pair.Access.Value, nil)
	w.clock.advance(time.Microsecond)
	w.wantAccess(t, tacc, pair.Access.Value, authn.ErrExpired)
	w.clock.advance(pair.Refresh.ExpiresAt.Sub(w.clock.now()) - time.Microsecond)
	w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, nil)
	w.clock.advance(time.Microsecond)
	w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
	w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, authn.ErrExpired)
}

func TestRevokingAClientVoidsAllItsTokensAndNobodyElses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before := w.issue(t, request(tacc, "portal"))
		inFlight := w.mint(t, request(tacc, "portal"))
		other, elsewhere, own := w.issue(t, request(tacc, "notebook")), w.issue(t, request(dev, "portal")), w.issue(t, request(tacc, ""))
		for range 2 { // repeating it is no error
			if err := w.RevokeClient(t.Context(), tacc.ID, "portal"); err != nil {
				t.Fatal(err)
			}
		}
		// A request that began before the client was switched off ends after.
		w.clock.advance(time.Minute)
		if err := w.Record(t.Context(), inFlight); err != nil {
			t.Fatal(err)
		}
		after := w.issue(t, request(tacc, "portal"))
		for _, pair := range []tokens.Pair{before, inFlight.Pair, after} {
			w.wantAccess(t, tacc, pair.Access.Value, authn.ErrRevoked)
			w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, tokens.ErrRefused)
		}
		w.wantAccess(t, tacc, other.Access.Value, nil)
		w.wantRefresh(t, tacc, "notebook", other.Refresh.Value, nil)
		w.wantAccess(t, dev, elsewhere.Access.Value, nil)
		w.wantRefresh(t, dev, "portal", elsewhere.Refresh.Value, nil)
		w.wantAccess(t, tacc, own.Access.Value, nil)
	})
}

func TestAUserMarkVoidsWhatWasIssuedBeforeIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		before := w.issue(t, request(tacc, "portal"))
		w.clock.advance(time.Second)
		err := w.db.Conn(t.Context()).Exec(
			`INSERT INTO revocation_marks (tenant_id, kind, name, issued_before) VALUES ('tacc', 'user', 'apitest', ?)`,
			w.clock.now().UnixMicro()).Error
		if err != nil {
			t.Fatal(err)
		}
		after := w.issue(t, request(tacc, "portal"))
		w.wantAccess(t, tacc, before.Access.Value, authn.ErrRevoked)
		w.wantRefresh(t, tacc, "portal", before.Refresh.Value, tokens.ErrRefused)
		w.wantAccess(t, tacc, after.Access.Value, nil)
		w.wantRefresh(t, tacc, "portal", after.Refresh.Value, nil)
	})
}

func TestWithoutADatabaseNothingIsSaidAboutATokenAndNoneIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, request(tacc, "portal"))
		r := w.present(t, tacc, "portal", pair.Refresh.Value)
		first, second := w.mint(t, request(tacc, "portal")), w.mint(t, next(tacc, "portal", r))
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		_, access := w.Access(ctx, tacc, pair.Access.Value)
		_, present := w.Present(ctx, tacc, "portal", pair.Refresh.Value)
		for name, err := range map[string]error{
			"Access": access, "Present": present, "Record": w.Record(ctx, first),
			"Rotate": w.Rotate(ctx, r, second), "RevokeClient": w.RevokeClient(ctx, tacc.ID, "portal"),
		} {
			if !apierr.Is(err, apierr.Unavailable) || authn.IsRefusal(err) || errors.Is(err, tokens.ErrRefused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.Sweep(ctx); err == nil {
			t.Error("Sweep saw no failure")
		}
	})
}

func TestACallerWhoGoesAwayIsNotToldThatTheDatabaseIs(t *testing.T) {
	w := onSQLite(t)
	pair := w.issue(t, request(tacc, "portal"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Access(ctx, tacc, pair.Access.Value); !errors.Is(err, context.Canceled) || apierr.Is(err, apierr.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func FuzzTextThatWasNotIssuedIsNeverAccepted(f *testing.F) {
	const header = `{"alg":"RS256","typ":"JWT","kid":"a"}`
	const claims = `{"jti":"1","sub":"a@tacc","iss":"https://tacc.tapis.io/v3/tokens","exp":9e9,"tapis/tenant_id":"tacc","tapis/token_type":"access"}`
	f.Add(header, claims, "c2lnbmF0dXJl")
	f.Add(`{"alg":"none"}`, claims, "")
	f.Add("", "", "")
	f.Add(`{"alg":"RS256","kid":null}`, `{"exp":"soon"}`, "=")
	f.Add(header, `{"aud":{},"exp":1e400}`, "\x00")
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		// Everything that is refused here is refused before a row is read.
		s := tokens.New(tokens.Deps{Keys: signing, Now: time.Now})
		encode := base64.RawURLEncoding.EncodeToString
		for _, raw := range []string{header + "." + claims + "." + signature, encode([]byte(header)) + "." + encode([]byte(claims)) + "." + signature} {
			if _, err := s.Access(t.Context(), tacc, raw); !authn.IsRefusal(err) {
				t.Errorf("access token: %v", err)
			}
			if _, err := s.Present(t.Context(), tacc, "portal", raw); !errors.Is(err, tokens.ErrRefused) {
				t.Errorf("refresh token: %v", err)
			}
		}
	})
}
