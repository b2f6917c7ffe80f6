package codes_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testlog"
)

// fixture is the codes of the client app of dev, whose family of tokens lives
// for a day.
type fixture struct {
	*authtest.Fixture

	codes *codes.Service
}

func each(t *testing.T, test func(f *fixture)) {
	t.Helper()
	authtest.Each(t, func(_ *testing.T, f *authtest.Fixture) {
		test(&fixture{f, codes.New(codes.Deps{DB: f.DB, Tokens: f.Tokens(), Now: f.Clock.Now, Log: f.Log})})
	})
}

func (f *fixture) approval() codes.Approval {
	return codes.Approval{
		TenantID: "dev", ClientID: "app", Username: "ada", RedirectURI: "https://a.example.org/", Scope: "openid", Nonce: "n",
		CodeChallenge: "c", AuthTime: f.Clock.Now().Add(-time.Hour), AMR: []string{"pwd", "otp"}, IDPID: "campus",
	}
}

func (f *fixture) code(a codes.Approval) string {
	f.T.Helper()
	code, err := f.codes.Issue(f.T.Context(), a, 24*time.Hour)
	if err != nil {
		f.T.Fatal(err)
	}
	testlog.Secret(f.T, code)
	return code
}

func (f *fixture) redeem(code string) codes.Redemption {
	f.T.Helper()
	r, err := f.codes.Redeem(f.T.Context(), "dev", "app", code)
	if err != nil {
		f.T.Fatal(err)
	}
	return r
}

func (f *fixture) refused(tenantID, clientID, code string, want error) {
	f.T.Helper()
	if _, err := f.codes.Redeem(f.T.Context(), tenantID, clientID, code); !errors.Is(err, want) {
		f.T.Errorf("got %v, want %v", err, want)
	}
}

// tokens returns an access token of the family of a redemption.
func (f *fixture) tokens(r codes.Redemption) string {
	f.T.Helper()
	return f.Issue(tokens.Request{
		Tenant: authtest.TokenTenant("dev"), Username: r.Username, ClientID: r.ClientID, GrantType: "authorization_code",
		AccessTTL: time.Hour, RefreshTTL: time.Hour, Family: &tokens.Family{ID: r.FamilyID, ExpiresAt: r.FamilyEnd},
	}).Access.Value
}

func (f *fixture) wantAccess(raw string, want error) {
	f.T.Helper()
	if _, err := f.Tokens().Access(f.T.Context(), authtest.TokenTenant("dev"), raw); !errors.Is(err, want) {
		f.T.Errorf("access token: got %v, want %v", err, want)
	}
}

func TestACodeIsWhatWasApprovedOnce(t *testing.T) {
	each(t, func(f *fixture) {
		full, bare := f.approval(), codes.Approval{TenantID: "dev", ClientID: "app", Username: "ada", AMR: []string{}}
		code, plain := f.code(full), f.code(bare)
		if len(code) != 43 || code == plain {
			f.T.Errorf("the codes are %d long", len(code))
		}
		got, second := f.redeem(code), f.redeem(plain)
		if end := f.Clock.Now().Add(codes.Lifetime + 24*time.Hour); !reflect.DeepEqual(got.Approval, full) || got.FamilyID == "" ||
			!got.FamilyEnd.Equal(end) {
			f.T.Errorf("got %+v", got)
		}
		if !reflect.DeepEqual(second.Approval, bare) || second.FamilyID == got.FamilyID {
			f.T.Errorf("got %+v", second)
		}
	})
}

func TestReuseRevokesWhatTheCodeGave(t *testing.T) {
	each(t, func(f *fixture) {
		code := f.code(f.approval())
		r, other := f.redeem(code), f.redeem(f.code(f.approval()))
		access, bystander := f.tokens(r), f.tokens(other)
		f.wantAccess(access, nil)
		f.refused("dev", "app", code, codes.ErrReused)
		inFlight := f.tokens(r) // recorded by a redemption that was still at work
		f.wantAccess(access, authn.ErrRevoked)
		f.wantAccess(inFlight, authn.ErrRevoked)
		f.wantAccess(bystander, nil)
		// Until nothing of the family is left, and not for ever.
		f.Clock.Advance(r.FamilyEnd.Sub(f.Clock.Now()) + authtest.Retention)
		for _, want := range []int{1, 0} {
			var marks int
			err := f.Tokens().Sweep(f.T.Context())
			if err == nil {
				err = f.DB.Conn(f.T.Context()).Raw(`SELECT COUNT(*) FROM revocation_marks`).Scan(&marks).Error
			}
			if err != nil || marks != want {
				f.T.Errorf("%d marks, %v", marks, err)
			}
			f.Clock.Advance(time.Second)
		}
	})
}

func TestWhileNothingCanBeRevokedTheAnswerIsNotThatItWas(t *testing.T) {
	each(t, func(f *fixture) {
		code := f.code(f.approval())
		f.redeem(code)
		f.Exec(`DROP TABLE revocation_marks`)
		if _, err := f.codes.Redeem(f.T.Context(), "dev", "app", code); !apierr.Is(err, apierr.Unavailable) {
			f.T.Errorf("got %v", err)
		}
	})
}

func TestACodeIsItsClientsAndTenantsForFiveMinutes(t *testing.T) {
	each(t, func(f *fixture) {
		code, other := f.code(f.approval()), f.code(f.approval())
		f.refused("lab", "app", code, codes.ErrRefused)
		f.refused("dev", "other", code, codes.ErrRefused)
		f.refused("dev", "app", code+"x", codes.ErrRefused)
		f.refused("dev", "app", "", codes.ErrRefused)
		f.Clock.Advance(5*time.Minute - time.Microsecond)
		access := f.tokens(f.redeem(code))
		f.refused("dev", "other", code, codes.ErrRefused)
		f.refused("lab", "app", code, codes.ErrRefused)
		f.wantAccess(access, nil)
		f.Clock.Advance(time.Microsecond)
		f.refused("dev", "app", other, codes.ErrRefused)
	})
}

func TestReuseIsNoticedForADay(t *testing.T) {
	each(t, func(f *fixture) {
		code := f.code(f.approval())
		f.redeem(code)
		for _, test := range []struct {
			after time.Duration
			want  error
		}{{24*time.Hour + codes.Lifetime, codes.ErrReused}, {time.Microsecond, codes.ErrRefused}} {
			f.Clock.Advance(test.after)
			f.Must(f.codes.Sweep(f.T.Context()))
			f.refused("dev", "app", code, test.want)
		}
	})
}
