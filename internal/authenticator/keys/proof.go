package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/apierr"
)

// ErrMasterKey says that the master key is not the one with which the secrets
// of this database are sealed.
var ErrMasterKey = errors.New("this is not the key with which the secrets in the database are sealed")

// CheckMasterKey fails with ErrMasterKey unless the proof in the database opens.
// The first start makes the proof; where there are signing keys from before
// there was one, one of them must open.
func (s *Service) CheckMasterKey(ctx context.Context) error {
	proof, found, err := s.store.proof(ctx)
	if err == nil && !found {
		var known []Info
		if known, err = s.List(ctx, ""); err != nil {
			return err
		}
		known = slices.DeleteFunc(known, func(k Info) bool { return !k.Ended.IsZero() })
		if len(known) > 0 && !slices.ContainsFunc(known, func(k Info) bool { return k.PublicKey != "" }) {
			return ErrMasterKey
		}
		if err = s.store.insertProof(ctx, s.box.Seal([]byte("proof"), proofTable, "1", "sealed")); err == nil {
			proof, _, err = s.store.proof(ctx) // perhaps of another, who was first
		}
	}
	if err != nil {
		return apierr.DatabaseAway(err)
	}
	if _, err := s.box.Open(proof, proofTable, "1", "sealed"); err != nil {
		return fmt.Errorf("%w: %w", ErrMasterKey, err)
	}
	return nil
}
