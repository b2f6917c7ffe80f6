package tokens_test

import (
	"testing"
	"time"
)

func TestTheLastExpiryIsThatOfTheAccessTokensOfATime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		from := f.Clock.Now()
		want := func(tenant string, last time.Time) {
			t.Helper()
			got, err := f.LastExpiry(t.Context(), tenant, from, from.Add(90*time.Minute))
			if err != nil || !got.Equal(last) {
				t.Errorf("%s: got %s, %v; want %s", tenant, got, err, last)
			}
		}
		want("tacc", time.Time{})
		r := request(tacc, "portal") // its refresh token lives a year
		r.AccessTTL = 30 * 24 * time.Hour
		long := f.issue(r)
		f.Clock.Advance(time.Minute)
		f.issue(request(tacc, "portal"))
		f.Clock.Advance(2 * time.Hour)
		r.AccessTTL = 60 * 24 * time.Hour
		f.issue(r) // after the time asked about
		want("tacc", long.Access.ExpiresAt)
		want("dev", time.Time{})
		short := request(dev, "")
		short.AccessTTL = time.Minute
		f.Clock.Advance(-time.Hour)
		f.issue(short) // an ID token beside it lives an hour
		want("dev", f.Clock.Now().Add(time.Hour))
	})
}
