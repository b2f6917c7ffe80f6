package tokens_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/authn"
	"gatehouse/internal/testdb"
)

func (w *world) sweep(t *testing.T) {
	t.Helper()
	if err := w.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) advanceTo(at time.Time) { w.clock.advance(at.Sub(w.clock.now())) }

func marks(t *testing.T, w *world) (n int64) {
	t.Helper()
	if err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM revocation_marks`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRecordsGoWhenTheirRetentionIsOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pair := w.issue(t, request(tacc, "portal"))
		for _, step := range []struct {
			at              time.Time
			access, refresh int64
		}{
			{pair.Access.ExpiresAt, 1, 1},
			{pair.Access.ExpiresAt.Add(retention), 1, 1},
			{pair.Access.ExpiresAt.Add(retention + time.Microsecond), 0, 1},
			{pair.Refresh.ExpiresAt.Add(retention), 0, 1},
			{pair.Refresh.ExpiresAt.Add(retention + time.Microsecond), 0, 0},
		} {
			w.advanceTo(step.at)
			w.sweep(t)
			if access, refresh := count(t, w, "access"), count(t, w, "refresh"); access != step.access || refresh != step.refresh {
				t.Errorf("at %s: %d access, %d refresh; want %d, %d", step.at, access, refresh, step.access, step.refresh)
			}
		}
	})
}

func TestSweepingGoesOnUntilNothingIsLeftToSweep(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		err := w.db.Conn(t.Context()).Exec(`
			INSERT INTO issued_tokens (tenant_id, jti, token_type, username, grant_type, create_time, expiry_time)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
			SELECT 'tacc', 'old ' || i, 'access', 'apitest', 'password', 1, 2 FROM n`).Error
		if err != nil {
			t.Fatal(err)
		}
		pair := w.issue(t, request(tacc, "portal"))
		w.sweep(t)
		if n := count(t, w, "access"); n != 1 {
			t.Errorf("%d access tokens are left, want 1", n)
		}
		w.wantAccess(t, tacc, pair.Access.Value, nil)
		w.wantRefresh(t, tacc, "portal", pair.Refresh.Value, nil)
	})
}

func TestSuccessorsAreForgottenAfterTheGraceAndNotBefore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.issue(t, request(tacc, "app"))
		second := w.rotate(t, tacc, "app", first.Refresh.Value)
		w.clock.advance(tokens.Grace)
		w.sweep(t)
		if got := w.present(t, tacc, "app", first.Refresh.Value); got.Successor == nil || got.Successor.Refresh.ID != second.Refresh.ID {
			t.Fatal("the successor was forgotten within the grace")
		}
		w.clock.advance(tokens.Grace + time.Microsecond)
		w.sweep(t)
		if dump := testdb.Dump(t, w.db); strings.Contains(dump, "successor=v1.") {
			t.Error("the successor is still kept")
		}
		w.wantRefresh(t, tacc, "app", second.Refresh.Value, nil)
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrReused)
	})
}

// Nothing outlives its family, so that the mark of a revoked one may go with
// its end without a token of it standing again.
func TestSweepingDoesNotBringARevokedFamilyBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := request(tacc, "app")
		r.AccessTTL, r.RefreshTTL, r.FamilyTTL = 90*24*time.Hour, time.Hour, 2*time.Hour
		untouched, first := w.issue(t, r), w.issue(t, r)
		if untouched.Access.TTL != r.FamilyTTL {
			t.Errorf("an access token lives %s in a family that lives %s", untouched.Access.TTL, r.FamilyTTL)
		}
		found := w.present(t, tacc, "app", first.Refresh.Value)
		order := next(tacc, "app", found)
		order.RefreshTTL = r.RefreshTTL
		if err := w.Rotate(t.Context(), found, w.mint(t, order)); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(tokens.Grace + time.Second)
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrReused)
		w.sweep(t)
		w.wantAccess(t, tacc, first.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, untouched.Access.Value, nil)
		w.clock.advance(r.FamilyTTL + retention)
		w.sweep(t)
		if n := marks(t, w); n != 0 {
			t.Errorf("%d marks are left", n)
		}
		w.wantAccess(t, tacc, first.Access.Value, authn.ErrExpired)
	})
}
