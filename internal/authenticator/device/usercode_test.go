package device

import (
	"strings"
	"testing"
)

func FuzzUserCodesAreOurLettersOnly(f *testing.F) {
	for _, seed := range []string{
		"BCDF-GHJK", "bcdfghjk", " b-c d-f ghjk", "AEIO-UAEI", "", "BCDF‐GHJK", "BCDF-GHJK\x00", "ſcdfghjk",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := parseUserCode(typed)
		if !ok {
			return
		}
		if len(code) != codeLength || strings.Trim(code, alphabet) != "" {
			t.Fatalf("%q was read as %q", typed, code)
		}
		if again, ok := parseUserCode(display(code)); !ok || again != code {
			t.Fatalf("%q is shown as %q and read as %q", code, display(code), again)
		}
	})
}

func TestUserCodesUseEveryLetterAlike(t *testing.T) {
	counts := map[rune]int{}
	for range 2000 {
		for _, letter := range newUserCode() {
			counts[letter]++
		}
	}
	for _, letter := range alphabet { // 800 each; seven standard deviations are 200
		if n := counts[letter]; n < 600 || n > 1000 {
			t.Errorf("%c was drawn %d times of 16000", letter, n)
		}
	}
}
