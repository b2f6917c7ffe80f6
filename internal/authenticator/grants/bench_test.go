//go:build unix

package grants_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/tokens"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// signature is the processor time of one signature of the mint's size.
func signature(b *testing.B) time.Duration {
	b.Helper()
	key, err := authtest.OnSQLite(b).Keys().Active(b.Context(), dev.ID)
	if err != nil {
		b.Fatal(err)
	}
	const n = 200
	before := cpu(b)
	for range n {
		if _, err := key.Sign(map[string]any{"sub": "ada@dev"}); err != nil {
			b.Fatal(err)
		}
	}
	return (cpu(b) - before) / n
}

// measure reports what an operation costs in processor time, as a multiple of
// one signature: neighbours and slow machines meet both. A code exchange and a
// refresh make two signatures. What prepare does is not counted; it may be nil.
func measure(b *testing.B, prepare, do func()) {
	b.Helper()
	bare := signature(b)
	var used time.Duration
	n := 0
	for ; b.Loop(); n++ {
		if prepare != nil {
			prepare()
		}
		before := cpu(b)
		do()
		used += cpu(b) - before
	}
	bare = (bare + signature(b)) / 2
	b.ReportMetric(float64(used)/float64(n)/float64(bare), "signatures/op")
}

// benchWorld returns a world and the tokens of ada through a client of hers.
func benchWorld(b *testing.B, r clients.Registration) (*world, clients.Client, tokens.Pair) {
	b.Helper()
	w := newWorld(authtest.OnSQLite(b))
	c := w.register(r)
	out, err := w.Exchange(b.Context(), dev, grants.Request{
		GrantType: "password", Username: "ada", Password: w.people["ada"], Credentials: &grants.Credentials{ID: c.ID, Secret: c.Key},
	})
	if err != nil {
		b.Fatal(err)
	}
	return w, c, out.Pair
}

// answer sends a form straight to the engine and returns the status.
func (w *world) answer(path string, p params) int {
	form := url.Values{}
	for name, value := range p {
		form.Set(name, value)
	}
	req := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/v3/oauth2"+path, strings.NewReader(form.Encode()))
	req.Host = "dev"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	recorder := httptest.NewRecorder()
	w.Handler.ServeHTTP(recorder, req)
	return recorder.Code
}

func wantStatus(b *testing.B, got, want int) {
	b.Helper()
	if got != want {
		b.Fatalf("answered %d", got)
	}
}

func BenchmarkCodeExchange(b *testing.B) {
	w, c, _ := benchWorld(b, confidential)
	a := w.approval(c)
	a.Scope = "" // an ID token would be a third signature
	var code string
	measure(b, func() {
		var err error
		if code, err = w.Code(b.Context(), dev, c, a); err != nil {
			b.Fatal(err)
		}
	}, func() { wantStatus(b, w.answer("/tokens", codeGrant(c, code)), 200) })
}

func BenchmarkRefresh(b *testing.B) {
	w, c, pair := benchWorld(b, confidential)
	measure(b, nil, func() { wantStatus(b, w.answer("/tokens", refreshGrant(c, pair.Refresh.Value)), 200) })
}

func BenchmarkDevicePoll(b *testing.B) {
	w, c, _ := benchWorld(b, clients.Registration{})
	var poll params
	polls := 0
	measure(b, func() {
		w.advance(device.Interval)
		if polls++; polls%100 != 1 { // a code lives for 120 polls
			return
		}
		issued, err := w.devices.Request(b.Context(), dev.ID, device.Asked{ClientID: c.ID, Address: "192.0.2.1"})
		if err != nil {
			b.Fatal(err)
		}
		poll = deviceGrant(c.ID, issued.DeviceCode)
	}, func() { wantStatus(b, w.answer("/tokens", poll), 400) })
}

func BenchmarkIntrospection(b *testing.B) {
	w, c, pair := benchWorld(b, confidential)
	question := params{"token": pair.Access.Value}.as(c)
	measure(b, nil, func() { wantStatus(b, w.answer("/tokens/introspect", question), 200) })
}
