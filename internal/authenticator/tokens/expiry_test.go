package tokens_test

import (
	"testing"
	"time"
)

func TestTheLastExpiryIsThatOfTheAccessTokensOfATime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		from := w.clock.now()
		want := func(tenant string, last time.Time) {
			t.Helper()
			got, err := w.LastExpiry(t.Context(), tenant, from, from.Add(90*time.Minute))
			if err != nil || !got.Equal(last) {
				t.Errorf("%s: got %s, %v; want %s", tenant, got, err, last)
			}
		}
		want("tacc", time.Time{})
		r := request(tacc, "portal") // its refresh token lives a year
		r.AccessTTL = 30 * 24 * time.Hour
		long := w.issue(t, r)
		w.clock.advance(time.Minute)
		w.issue(t, request(tacc, "portal"))
		w.clock.advance(2 * time.Hour)
		r.AccessTTL = 60 * 24 * time.Hour
		w.issue(t, r) // after the time asked about
		want("tacc", long.Access.ExpiresAt)
		want("dev", time.Time{})
		short := request(dev, "")
		short.AccessTTL = time.Minute
		w.clock.advance(-time.Hour)
		w.issue(t, short) // an ID token beside it lives an hour
		want("dev", w.clock.now().Add(time.Hour))
	})
}
