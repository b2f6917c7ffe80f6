package authn_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"strconv"
	"testing"
	"time"

	"gatehouse/internal/authn"
)

// changing is a keyring and a clock that tests change.
type changing struct {
	key *rsa.PublicKey
	err error
	now time.Time
}

func (c *changing) PublicKey(context.Context, string, string) (*rsa.PublicKey, error) {
	return c.key, c.err
}

func (c *changing) verifier() *authn.Verifier {
	return authn.NewVerifier(c, func() time.Time { return c.now })
}

func newChanging() *changing { return &changing{key: &devKey().PublicKey, now: now} }

func TestASecondLookAtATokenReadsTheSameClaims(t *testing.T) {
	c := newChanging()
	v, raw := c.verifier(), signed(t, header(nil), claims(object{"tapis/client_id": "portal", "tapis/target_site": "main"}))
	var first, second authn.Claims
	for _, into := range []*authn.Claims{&first, &second} {
		if err := v.Verify(t.Context(), raw, wanted, into); err != nil {
			t.Fatal(err)
		}
	}
	if first.ID != second.ID || first.Username != second.Username || *second.ClientID != "portal" || second.TargetSite != "main" ||
		!first.ExpiresAt.Equal(second.ExpiresAt.Time) {
		t.Errorf("got %+v, then %+v", first, second)
	}
}

func TestATokenThatWasSeenIsStillCheckedForAllElse(t *testing.T) {
	raw := signed(t, header(nil), claims(nil))
	away := errors.New("away")
	same := func(*changing) {}
	otherTenant, otherIssuer, otherType := wanted, wanted, wanted
	otherTenant.TenantID, otherIssuer.Issuer, otherType.TokenType = "other", "x", authn.RefreshToken
	for name, test := range map[string]struct {
		change func(c *changing)
		expect authn.Expect
		want   error
	}{
		"nothing changed":       {same, wanted, nil},
		"it expired":            {func(c *changing) { c.now = now.Add(time.Hour) }, wanted, authn.ErrExpired},
		"another second":        {func(c *changing) { c.now = now.Add(time.Second) }, wanted, nil},
		"its key is gone":       {func(c *changing) { c.err = authn.ErrUnknownKey }, wanted, authn.ErrUnknownKey},
		"keys are away":         {func(c *changing) { c.err = away }, wanted, away},
		"its key was exchanged": {func(c *changing) { c.key = &otherKey().PublicKey }, wanted, authn.ErrSignature},
		"the same key, reloaded": {func(c *changing) {
			again := *c.key
			c.key = &again
		}, wanted, nil},
		"another tenant": {same, otherTenant, authn.ErrTenant},
		"another issuer": {same, otherIssuer, authn.ErrIssuer},
		"another type":   {same, otherType, authn.ErrTokenType},
	} {
		c := newChanging()
		v := c.verifier()
		if err := v.Verify(t.Context(), raw, wanted, &authn.Claims{}); err != nil {
			t.Fatal(err)
		}
		test.change(c)
		var got authn.Claims
		if err := v.Verify(t.Context(), raw, test.expect, &got); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	// Just before it expires it was seen, and that helps it nothing.
	c := newChanging()
	c.now = now.Add(time.Hour - time.Second)
	v := c.verifier()
	for _, want := range []error{nil, authn.ErrExpired} {
		if err := v.Verify(t.Context(), raw, wanted, &authn.Claims{}); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		c.now = c.now.Add(time.Second)
	}
}

func TestABadTokenIsNotTakenForOneThatWasSeen(t *testing.T) {
	v, raw := newVerifier(), signed(t, header(nil), claims(nil))
	if err := v.Verify(t.Context(), raw, wanted, &authn.Claims{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{raw + "A", raw[:len(raw)-1], " " + raw, raw + "\n", signed(t, header(nil), claims(nil))[:200]} {
		if err := v.Verify(t.Context(), bad, wanted, &authn.Claims{}); !authn.IsRefusal(err) {
			t.Errorf("got %v", err)
		}
	}
	forged := spliced(t)
	for range 2 {
		if err := v.Verify(t.Context(), forged, wanted, &authn.Claims{}); !errors.Is(err, authn.ErrSignature) {
			t.Errorf("forged: got %v", err)
		}
	}
}

// spliced is a token with the end of another signature.
func spliced(t *testing.T) string {
	t.Helper()
	text := signed(t, header(nil), claims(nil))
	foreign := signed(t, header(nil), claims(object{"jti": "other"}))
	return text[:len(text)-100] + foreign[len(foreign)-100:]
}

func BenchmarkVerify(b *testing.B) {
	for name, distinct := range map[string]int{"cold": 2000, "seen": 1} {
		raws := make([]string, distinct)
		for i := range raws {
			raws[i] = signed(b, header(nil), claims(object{"jti": strconv.Itoa(i)}))
		}
		b.Run(name, func(b *testing.B) {
			c := newChanging()
			v := c.verifier()
			for i := 0; b.Loop(); i++ {
				if i%distinct == 0 && distinct > 1 {
					v = c.verifier()
				}
				if err := v.Verify(b.Context(), raws[i%distinct], wanted, &authn.Claims{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
