package tokens_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testdb"
)

func (f *fixture) sweep() {
	f.T.Helper()
	f.Must(f.Sweep(f.T.Context()))
}

func (f *fixture) advanceTo(at time.Time) { f.Clock.Advance(at.Sub(f.Clock.Now())) }

func TestRecordsGoWhenTheirRetentionIsOver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		pair := f.issue(request(tacc, "portal"))
		for _, step := range []struct {
			at              time.Time
			access, refresh int64
		}{
			{pair.Access.ExpiresAt, 1, 1},
			{pair.Access.ExpiresAt.Add(authtest.Retention), 1, 1},
			{pair.Access.ExpiresAt.Add(authtest.Retention + time.Microsecond), 0, 1},
			{pair.Refresh.ExpiresAt.Add(authtest.Retention), 0, 1},
			{pair.Refresh.ExpiresAt.Add(authtest.Retention + time.Microsecond), 0, 0},
		} {
			f.advanceTo(step.at)
			f.sweep()
			f.wantRecords(step.access, step.refresh)
		}
	})
}

func TestSweepingGoesOnUntilNothingIsLeftToSweep(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Exec(`
			INSERT INTO issued_tokens (tenant_id, jti, token_type, username, grant_type, create_time, expiry_time)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
			SELECT 'tacc', 'old ' || i, 'access', 'apitest', 'password', 1, 2 FROM n`)
		pair := f.issue(request(tacc, "portal"))
		f.sweep()
		f.wantRecords(1, 1)
		f.wantGood(tacc, "portal", pair)
	})
}

func TestSuccessorsAreForgottenAfterTheGraceAndNotBefore(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.issue(request(tacc, "app"))
		second := f.rotate(tacc, "app", first.Refresh.Value)
		f.Clock.Advance(tokens.Grace)
		f.sweep()
		if got := f.present(tacc, "app", first.Refresh.Value); got.Successor == nil || got.Successor.Refresh.ID != second.Refresh.ID {
			t.Fatal("the successor was forgotten within the grace")
		}
		f.Clock.Advance(tokens.Grace + time.Microsecond)
		f.sweep()
		if dump := testdb.Dump(t, f.DB); strings.Contains(dump, "successor=v1.") {
			t.Error("the successor is still kept")
		}
		f.wantRefresh(tacc, "app", second.Refresh.Value, nil)
		f.wantRefresh(tacc, "app", first.Refresh.Value, tokens.ErrReused)
	})
}

// Nothing outlives its family, so that the mark of a revoked one may go with
// its end without a token of it standing again.
func TestSweepingDoesNotBringARevokedFamilyBack(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := request(tacc, "app")
		r.AccessTTL, r.RefreshTTL, r.FamilyTTL = 90*24*time.Hour, time.Hour, 2*time.Hour
		untouched, first := f.issue(r), f.issue(r)
		if untouched.Access.TTL != r.FamilyTTL {
			t.Errorf("an access token lives %s in a family that lives %s", untouched.Access.TTL, r.FamilyTTL)
		}
		found := f.present(tacc, "app", first.Refresh.Value)
		order := next(tacc, "app", found)
		order.RefreshTTL = r.RefreshTTL
		f.Must(f.Rotate(t.Context(), found, f.mint(order)))
		f.Clock.Advance(tokens.Grace + time.Second)
		f.wantRefresh(tacc, "app", first.Refresh.Value, tokens.ErrReused)
		f.sweep()
		f.wantAccess(tacc, first.Access.Value, authn.ErrRevoked)
		f.wantAccess(tacc, untouched.Access.Value, nil)
		f.Clock.Advance(r.FamilyTTL + authtest.Retention)
		f.sweep()
		f.wantMarks(0)
		f.wantAccess(tacc, first.Access.Value, authn.ErrExpired)
	})
}
