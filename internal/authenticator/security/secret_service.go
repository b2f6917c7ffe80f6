package security

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// SecretAddress says whose secret it is and what it is called.
type SecretAddress struct {
	TenantID string
	Type     string // UserSecret is the only one so far
	Account  string // whose it is
	Name     string
}

// UserSecret is the type of secrets that belong to one account, such as the
// passwords with which the authenticator binds to directories.
const UserSecret = "user"

var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$`)

// SetSecret stores a new version of a secret, an object of strings.
func (s *Service) SetSecret(ctx context.Context, a SecretAddress, content map[string]string) error {
	if !secretName.MatchString(a.Name) {
		return apierr.Invalidf("The name of a secret has letters, digits and . _ + -, at most 200 of them.")
	}
	text, err := json.Marshal(content)
	if err != nil {
		return apierr.Wrap(err, "encode secret")
	}
	return s.store.db.InTx(ctx, func(ctx context.Context) error {
		newest, _, err := s.store.newestSecret(ctx, a)
		if err != nil {
			return err
		}
		version := newest.Version + 1
		return s.store.insertSecret(ctx, secretRow{
			TenantID: a.TenantID, SecretType: a.Type, Account: a.Account, Name: a.Name, Version: version,
			Content: s.box.Seal(text, "secrets", a.row(version), "content"), CreateTime: database.At(s.now()),
		})
	})
}

// Secret returns the newest version of a secret; false when there is none.
func (s *Service) Secret(ctx context.Context, a SecretAddress) (map[string]string, bool, error) {
	if !secretName.MatchString(a.Name) {
		return nil, false, nil
	}
	newest, found, err := s.store.newestSecret(ctx, a)
	if err != nil {
		return nil, false, apierr.Away(err, "The database")
	}
	if !found {
		return nil, false, nil
	}
	text, err := s.box.Open(newest.Content, "secrets", a.row(newest.Version), "content")
	if err != nil {
		return nil, false, apierr.Wrap(err, "open secret "+a.Name)
	}
	var content map[string]string
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, false, apierr.Wrap(err, "decode secret "+a.Name)
	}
	return content, true, nil
}

// row names a version unambiguously, for sealing.
func (a SecretAddress) row(version int) string {
	return fmt.Sprintf("%q %q %q %q %d", a.TenantID, a.Type, a.Account, a.Name, version)
}
