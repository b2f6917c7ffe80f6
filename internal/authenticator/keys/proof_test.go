package keys_test

import (
	"errors"
	"testing"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/seal"
)

func TestAWrongMasterKeyIsNoticedByItsProof(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, s *keys.Service){
		"made at the first start": func(t *testing.T, s *keys.Service) {
			t.Helper()
			for range 2 {
				if err := s.CheckMasterKey(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		},
		"missing where there are signing keys": func(t *testing.T, s *keys.Service) {
			t.Helper()
			ensure(t, s, "dev")
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				before(t, newKeys(f.DB, f.Box))
				wrong, err := seal.New(seal.NewKey())
				if err != nil {
					t.Fatal(err)
				}
				if err := newKeys(f.DB, wrong).CheckMasterKey(t.Context()); !errors.Is(err, keys.ErrMasterKey) {
					t.Errorf("with another key: %v", err)
				}
				if err := newKeys(f.DB, f.Box).CheckMasterKey(t.Context()); err != nil {
					t.Errorf("with the right one: %v", err)
				}
			})
		})
	}
}
