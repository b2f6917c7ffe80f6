package directory_test

import (
	"errors"
	"slices"
	"testing"

	"gatehouse/internal/authenticator/people/directory"
	"gatehouse/internal/slapdtest"
)

func TestTheGroupsOfAPersonAreThoseThatNameThemOrHaveTheirNumber(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{
		People: []slapdtest.Person{
			{Username: "Ann", Password: randomPassword()},
			{Username: "ben", Password: randomPassword(), UIDNumber: "71"},
			{Username: "mem*", Password: randomPassword()},
		},
		LDIF: groupsUnit + group("users", "70", "Ann", "ben") + group("staff", "71") + group("admins", "72", "Ann"),
	})
	cfg := slapdConfig(s)
	cfg.Rules = directory.Rules{GroupBaseDN: s.BaseDN}
	d := open(t, cfg)
	for name, want := range map[string][]string{"ann": {"admins", "users"}, "ben": {"staff", "users"}, "mem*": {}} {
		if got, err := d.Groups(t.Context(), name); err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"nobody", "", "*"} {
		if _, err := d.Groups(t.Context(), name); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	for _, base := range []string{"", "ou=nowhere," + s.BaseDN} {
		elsewhere, err := d.Under(directory.Rules{GroupBaseDN: base})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := elsewhere.Groups(t.Context(), "ann"); err != nil || len(got) != 0 {
			t.Errorf("below %q: got %v, %v", base, got, err)
		}
	}
	some, err := d.Under(directory.Rules{GroupBaseDN: s.BaseDN, Groups: []string{"staff"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := some.Groups(t.Context(), "ben"); err != nil || len(got) != 2 {
		t.Errorf("a member: got %v, %v", got, err)
	}
	if _, err := some.Groups(t.Context(), "ann"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("somebody who is excluded: got %v", err)
	}
}
