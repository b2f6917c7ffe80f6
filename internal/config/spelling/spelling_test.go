package spelling_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/config/spelling"
)

func TestNearestFindsWhatWasMeant(t *testing.T) {
	known := []string{"serve", "migrate", "version", "config print", "config check", "keys init"}
	tests := []struct {
		word string
		want string // empty: none is near
	}{
		{"serve", "serve"},
		{"sevre", "serve"},
		{"server", "serve"},
		{"SERVE", "serve"},
		{"migarte", "migrate"},
		{"vresoin", "version"},
		{"confg print", "config print"},
		{"config", ""},
		{"key init", "keys init"},
		{"x", ""},
		{"", ""},
		{"something else", ""},
		{"serv\u00e9", "serve"},
		{strings.Repeat("serve", 100), ""},
	}
	for _, tt := range tests {
		t.Run(tt.word, func(t *testing.T) {
			got, ok := spelling.Nearest(tt.word, known)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Nearest(%q) = %q, %v, want %q", tt.word, got, ok, tt.want)
			}
		})
	}
}

func TestOfEquallyNearNamesTheFirstWins(t *testing.T) {
	if got, _ := spelling.Nearest("cat", []string{"horse", "car", "cut"}); got != "car" {
		t.Errorf("Nearest = %q, want car", got)
	}
}

func TestAWholeWordIsNeverASlip(t *testing.T) {
	if got, ok := spelling.Nearest("b", []string{"a"}); ok {
		t.Errorf("Nearest = %q, want none", got)
	}
}

func FuzzNearest(f *testing.F) {
	f.Add("sevre", "serve", "migrate")
	f.Add("", "", "\xff")
	f.Fuzz(func(t *testing.T, word, one, two string) {
		known := []string{one, two}
		got, ok := spelling.Nearest(word, known)
		if ok && !slices.Contains(known, got) {
			t.Errorf("Nearest(%q) = %q, which is not known", word, got)
		}
		if reversed, _ := spelling.Nearest(word, []string{two, one}); (reversed != "") != ok {
			t.Errorf("Nearest(%q) depends on the order: %q and %q", word, got, reversed)
		}
	})
}
