package authn_test

import (
	"testing"

	"gatehouse/internal/authn"
)

// FuzzVerify checks that a good token with any change is refused, and so is
// anything that was never signed. The key differs between fuzzing processes,
// so the token is changed here and not by the fuzzer.
func FuzzVerify(f *testing.F) {
	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(10), uint16(1), "A")
	f.Add(uint16(999), uint16(0), "\n")
	f.Add(uint16(36), uint16(65535), ".e30.")
	f.Add(uint16(0), uint16(36), `eyJhbGciOiJub25lIn0`)
	good := signed(f, header(nil), claims(nil))
	v := newVerifier()
	f.Fuzz(func(t *testing.T, at, drop uint16, insert string) {
		from := min(int(at), len(good))
		to := min(from+int(drop), len(good))
		for _, token := range []string{good[:from] + insert + good[to:], insert} {
			var c authn.Claims
			err := v.Verify(t.Context(), token, wanted, &c)
			if (err == nil) != (token == good) || (err != nil && !authn.IsRefusal(err)) {
				t.Errorf("%q: %v", token, err)
			}
		}
	})
}
