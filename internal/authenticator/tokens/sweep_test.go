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

func families(t *testing.T, w *world) (n int64) {
	t.Helper()
	if err := w.db.Conn(t.Context()).Raw(`SELECT COUNT(*) FROM token_families`).Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRecordsGoWhenTheirRetentionIsOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := request(tacc, "portal")
		begin := w.clock.now()
		pair := w.issue(t, r)
		for _, step := range []struct {
			at                        time.Time
			access, refresh, families int64
		}{
			{pair.Access.ExpiresAt, 1, 1, 1},
			{pair.Access.ExpiresAt.Add(retention), 1, 1, 1},
			{pair.Access.ExpiresAt.Add(retention + time.Microsecond), 0, 1, 1},
			{pair.Refresh.ExpiresAt.Add(retention), 0, 1, 1},
			{pair.Refresh.ExpiresAt.Add(retention + time.Microsecond), 0, 0, 1},
			{begin.Add(r.FamilyTTL + retention), 0, 0, 1},
			{begin.Add(r.FamilyTTL + retention + time.Microsecond), 0, 0, 0},
		} {
			w.advanceTo(step.at)
			w.sweep(t)
			access, refresh, families := count(t, w, "access"), count(t, w, "refresh"), families(t, w)
			if access != step.access || refresh != step.refresh || families != step.families {
				t.Errorf("at %s: %d access, %d refresh, %d families; want %d, %d, %d",
					step.at, access, refresh, families, step.access, step.refresh, step.families)
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

// An access token may be good for longer than its family; sweeping the
// family's record away must not make a revoked one stand again.
func TestSweepingDoesNotBringARevokedFamilyBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := request(tacc, "app")
		r.AccessTTL, r.RefreshTTL, r.FamilyTTL = 90*24*time.Hour, time.Hour, 2*time.Hour
		untouched, first := w.issue(t, r), w.issue(t, r)
		found := w.present(t, tacc, "app", first.Refresh.Value)
		order := next(tacc, "app", found)
		order.RefreshTTL = r.RefreshTTL
		if err := w.Rotate(t.Context(), found, w.mint(t, order)); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(tokens.Grace + time.Second)
		w.wantRefresh(t, tacc, "app", first.Refresh.Value, tokens.ErrReused)
		w.clock.advance(r.FamilyTTL + retention)
		w.sweep(t)
		w.wantAccess(t, tacc, first.Access.Value, authn.ErrRevoked)
		w.wantAccess(t, tacc, untouched.Access.Value, nil)
		w.clock.advance(r.AccessTTL + retention)
		w.sweep(t)
		w.sweep(t) // the records of tokens go first
		if n := families(t, w); n != 0 {
			t.Errorf("%d families are left", n)
		}
	})
}
