package keys

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func FuzzTokensCanBeReadWithEitherAlphabet(f *testing.F) {
	for _, text := range []string{
		"ada", "José Müller", "https://portal.example.org/cb?a=1&b=~x>", "日本語 🎓", "\u2028\x7f\x00\\\"",
		"ÿþ\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := json.Marshal(map[string]string{"sub": text, text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		written := portable(plain)
		if encoded := base64.RawURLEncoding.EncodeToString(written); strings.ContainsAny(encoded, "-_") {
			t.Errorf("%s becomes %s", written, encoded)
		}
		var before, after map[string]string
		if err := json.Unmarshal(plain, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%s became %s (%v)", plain, written, err)
		}
	})
}
