package kernel_test

import (
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
)

func FuzzSecretNames(f *testing.F) {
	for _, name := range []string{"ldap.dev", "a+b", "a/b", "a b", "", "+", "a++b", "..", "a\x00", "ä", "a/../b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		kept, err := kernel.CanonicalName(name)
		if err != nil {
			if !apierr.Is(err, apierr.Invalid) || kept != "" {
				t.Errorf("%q: got %q, %v", name, kept, err)
			}
			return
		}
		again, err := kernel.CanonicalName(strings.ReplaceAll(kept, "+", "/"))
		if err != nil || again != kept || len(kept) > 200 || strings.ContainsAny(kept, "/ \x00") || strings.Contains(kept, "++") {
			t.Errorf("%q is kept as %q and read as %q, %v", name, kept, again, err)
		}
	})
}
