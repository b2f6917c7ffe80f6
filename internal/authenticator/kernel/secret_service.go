package kernel

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// SetSecret stores a new version of a secret, an object of strings.
func (s *Service) SetSecret(ctx context.Context, a SecretAddress, content map[string]string) error {
	_, err := s.writeSecret(ctx, a, content, nil)
	return err
}

// writeTries is how often a write begins anew when another was faster.
const writeTries = 10

// writeSecret stores a new version. With cas it does so only while the newest
// is that one, or, for 0, while there is none.
func (s *Service) writeSecret(ctx context.Context, a SecretAddress, content map[string]string, cas *int) (SecretVersion, error) {
	if !a.valid() {
		return SecretVersion{}, apierr.Invalidf("The name of a secret has letters, digits and . _ + -, at most 200 of them.")
	}
	text, err := json.Marshal(content)
	if err != nil {
		return SecretVersion{}, apierr.Wrap(err, "encode secret")
	}
	if len(text) > maxSecret {
		return SecretVersion{}, apierr.Invalidf("The field data is too large: at most %d bytes in all.", maxSecret)
	}
	var written SecretVersion
	for range writeTries {
		err = s.store.db.InTx(ctx, func(ctx context.Context) error {
			var err error
			written, err = s.insertVersion(ctx, a, text, cas)
			return err
		})
		if !database.IsDuplicate(err) { // else another has written that version; cas is compared with it
			break
		}
	}
	return written, apierr.DatabaseAway(err)
}

func (s *Service) insertVersion(ctx context.Context, a SecretAddress, text []byte, cas *int) (SecretVersion, error) {
	newest, found, err := s.store.secretVersion(ctx, a, 0)
	if err != nil {
		return SecretVersion{}, err
	}
	if cas != nil && *cas != newest.Version {
		return SecretVersion{}, apierr.New(
			apierr.Conflict, "The newest version of the secret is %d, not the one that options.cas names.", newest.Version)
	}
	if !found && a.Type == UserSecret {
		names, err := s.store.secretNames(ctx, a)
		if err != nil {
			return SecretVersion{}, err
		}
		if len(names) >= maxSecrets {
			return SecretVersion{}, apierr.New(
				apierr.Conflict, "There are %d secrets, the most that one account may have; erase one first.", len(names))
		}
	}
	version := newest.Version + 1
	row := secretRow{
		TenantID: a.TenantID, SecretType: a.Type, Account: a.Account, Name: a.Name, Version: version,
		Content: s.box.Seal(text, "secrets", a.row(version), "content"), CreateTime: database.At(s.now()),
	}
	if err := s.store.insertSecret(ctx, row); err != nil {
		return SecretVersion{}, err
	}
	if version > maxVersions {
		if err := s.store.eraseSecret(ctx, a, version-maxVersions); err != nil {
			return SecretVersion{}, err
		}
	}
	return row.version(), nil
}

// Secret returns the newest version of a secret; false when there is none, or
// it is deleted.
func (s *Service) Secret(ctx context.Context, a SecretAddress) (map[string]string, bool, error) {
	content, _, err := s.readSecret(ctx, a, 0)
	if apierr.Is(err, apierr.NotFound) {
		return nil, false, nil
	}
	return content, err == nil, err
}

func errNoSecret() error { return apierr.New(apierr.NotFound, "There is no such secret.") }

// readSecret returns a version, the newest when version is 0. One that is
// deleted is not found.
func (s *Service) readSecret(ctx context.Context, a SecretAddress, version int) (map[string]string, SecretVersion, error) {
	if !a.valid() {
		return nil, SecretVersion{}, errNoSecret()
	}
	row, found, err := s.store.secretVersion(ctx, a, version)
	switch {
	case err != nil:
		return nil, SecretVersion{}, apierr.Away(err, "The database")
	case !found, row.DeletionTime != 0, row.DestroyTime != 0:
		return nil, SecretVersion{}, errNoSecret()
	}
	text, err := s.box.Open(row.Content, "secrets", a.row(row.Version), "content")
	if err != nil {
		return nil, SecretVersion{}, apierr.Wrap(err, "open secret "+a.Name)
	}
	var content map[string]string
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, SecretVersion{}, apierr.Wrap(err, "decode secret "+a.Name)
	}
	return content, row.version(), nil
}

// versions describes the versions of a secret, oldest first, or fails as not
// found.
func (s *Service) versions(ctx context.Context, a SecretAddress) ([]SecretVersion, error) {
	if !a.valid() {
		return nil, errNoSecret()
	}
	rows, err := s.store.secretVersions(ctx, a)
	if err != nil {
		return nil, apierr.DatabaseAway(err)
	}
	if len(rows) == 0 {
		return nil, errNoSecret()
	}
	all := make([]SecretVersion, 0, len(rows))
	for _, r := range rows {
		all = append(all, r.version())
	}
	return all, nil
}

// folder lists what is at the top of an account's secrets of one type:
// secrets by their names, folders with a slash behind.
func (s *Service) folder(ctx context.Context, a SecretAddress) ([]string, error) {
	names, err := s.store.secretNames(ctx, a)
	if err != nil {
		return nil, apierr.DatabaseAway(err)
	}
	keys := []string{}
	for _, name := range names {
		first, _, deeper := strings.Cut(name, "+")
		if deeper {
			first += "/"
		}
		keys = append(keys, first)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// versionState is what becomes of versions of a secret.
type versionState int

const (
	deleted   versionState = iota // they can come back
	undeleted                     // they do
	destroyed                     // they cannot
)

// setVersions changes the state of versions of a secret and returns them: all
// of them when none are named, the newest for 0. Those that do not exist are left
// out, and destroyed ones stay so.
func (s *Service) setVersions(ctx context.Context, a SecretAddress, versions []int, to versionState) ([]int, error) {
	chosen := []int{}
	err := s.store.db.InTx(ctx, func(ctx context.Context) error {
		all, err := s.versions(ctx, a)
		if err != nil {
			return err
		}
		chosen = choose(all, versions)
		changes := map[string]any{"deletion_time": database.At(s.now())}
		switch to {
		case undeleted:
			changes["deletion_time"] = 0
		case destroyed:
			changes = map[string]any{"destroy_time": database.At(s.now()), "content": ""}
		case deleted:
		}
		return s.store.updateSecret(ctx, a, chosen, changes)
	})
	return chosen, apierr.DatabaseAway(err)
}

func choose(all []SecretVersion, versions []int) []int {
	chosen := []int{}
	for i, v := range all {
		if len(versions) == 0 || slices.Contains(versions, v.Version) || slices.Contains(versions, 0) && i == len(all)-1 {
			chosen = append(chosen, v.Version)
		}
	}
	return chosen
}

// erase removes all versions of a secret and what is known of them.
func (s *Service) erase(ctx context.Context, a SecretAddress) error {
	if !a.valid() {
		return nil
	}
	return apierr.DatabaseAway(s.store.eraseSecret(ctx, a, 0))
}
