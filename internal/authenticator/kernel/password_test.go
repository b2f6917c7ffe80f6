package kernel_test

import (
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

type object = authtest.Object

func newService(t *testing.T, db *database.DB) *kernel.Service {
	t.Helper()
	return authtest.New(t, db).Kernel()
}

func set(t testing.TB, s *kernel.Service, tenantID, service, password string) {
	t.Helper()
	if err := s.SetPassword(t.Context(), tenantID, service, password); err != nil {
		t.Fatal(err)
	}
}

func wantMatch(t *testing.T, s *kernel.Service, tenantID, service, password string, want bool) {
	t.Helper()
	if got, err := s.PasswordMatches(t.Context(), tenantID, service, password); got != want || err != nil {
		t.Errorf("%s in %s: got %t, %v; want %t", service, tenantID, got, err, want)
	}
}

func each(t *testing.T, test func(t *testing.T, db *database.DB)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, test)
}

func TestOnlyTheAccountsOwnPasswordMatches(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, password, other := newService(t, db), authtest.Secret(t), authtest.Secret(t)
		set(t, s, "admin", "files", password)
		set(t, s, "admin", "systems", other)
		set(t, s, "edge", "files", other)
		wantMatch(t, s, "admin", "files", password, true)
		wantMatch(t, s, "admin", "systems", other, true)
		wantMatch(t, s, "edge", "files", other, true)
		for _, wrong := range []string{
			"", other, password[:42], password + "x", password + "\x00", " " + password, password + "\n",
			strings.ToLower(password),
		} {
			wantMatch(t, s, "admin", "files", wrong, false)
		}
		for _, account := range []string{"edge files", "admin systems", "admin jobs", "dev files", "ADMIN files"} {
			tenantID, service, _ := strings.Cut(account, " ")
			wantMatch(t, s, tenantID, service, password, false)
		}
		wantMatch(t, s, "admin", "jobs", "", false)
		wantMatch(t, newService(t, db), "admin", "files", password, false) // another master key
	})
}

func TestANewPasswordReplacesTheOld(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, first, second := newService(t, db), authtest.Secret(t), authtest.Secret(t)
		set(t, s, "admin", "files", first)
		set(t, s, "edge", "files", first)
		set(t, s, "admin", "files", second)
		wantMatch(t, s, "admin", "files", first, false)
		wantMatch(t, s, "admin", "files", second, true)
		wantMatch(t, s, "edge", "files", first, true)
	})
}

func TestAHashMovedToAnotherAccountMatchesNothing(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, mine, theirs := newService(t, db), authtest.Secret(t), authtest.Secret(t)
		set(t, s, "admin", "files", mine)
		set(t, s, "admin", "systems", theirs)
		set(t, s, "edge", "files", theirs)
		err := db.Conn(t.Context()).Exec(
			`UPDATE service_passwords SET hash = (SELECT hash FROM service_passwords
				WHERE tenant_id = 'admin' AND service = 'files')`).Error
		if err != nil {
			t.Fatal(err)
		}
		wantMatch(t, s, "admin", "files", mine, true)
		for _, password := range []string{mine, theirs} {
			wantMatch(t, s, "admin", "systems", password, false)
			wantMatch(t, s, "edge", "files", password, false)
		}
		if err := db.Conn(t.Context()).Exec(`UPDATE service_passwords SET hash = ''`).Error; err != nil {
			t.Fatal(err)
		}
		wantMatch(t, s, "admin", "files", mine, false)
		wantMatch(t, s, "admin", "files", "", false)
	})
}

func TestNoPasswordStandsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, password := newService(t, db), authtest.Secret(t)
		set(t, s, "admin", "files", password)
		set(t, s, "admin", "systems", password)
		dump := testdb.Dump(t, db)
		if strings.Count(dump, "service_passwords:") != 2 || strings.Contains(dump, password) {
			t.Errorf("the dump misses the accounts or holds their password")
		}
		var hashes []string
		if err := db.Conn(t.Context()).Raw(`SELECT DISTINCT hash FROM service_passwords`).Scan(&hashes).Error; err != nil ||
			len(hashes) != 2 {
			t.Errorf("%d different hashes, %v: equal passwords look equal", len(hashes), err)
		}
	})
}

func TestShortPasswordsAndOddNamesAreNotTaken(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, password := newService(t, db), authtest.Secret(t)
		for _, short := range []string{"", "x", password[:23]} {
			err := s.SetPassword(t.Context(), "admin", "files", short)
			if err == nil || len(short) > 1 && strings.Contains(err.Error(), short) {
				t.Errorf("a password of %d bytes: %v", len(short), err)
			}
		}
		odd := []string{
			"", "Files", "FILES", "1files", "-files", "files ", " files", "files\n", "files\x00", "fi/les", "files@admin", "fi:les",
			"fi_les", "fïles", "\xff", strings.Repeat("f", 51),
		}
		for _, name := range odd {
			if err := s.SetPassword(t.Context(), "admin", name, password); err == nil || strings.Contains(err.Error(), password) {
				t.Errorf("service %q: %v", name, err)
			}
		}
		if dump := testdb.Dump(t, db); strings.Contains(dump, "service_passwords:") {
			t.Errorf("something was stored:\n%s", dump)
		}
		set(t, s, "admin", "f"+strings.Repeat("-", 49), password[:24])
		wantMatch(t, s, "admin", "f"+strings.Repeat("-", 49), password[:24], true)
		// Such names are asked about too, and no database must see them.
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range odd {
			wantMatch(t, s, "admin", name, password, false)
		}
		for _, tenantID := range []string{"admin\x00", "\xff\xfe"} {
			wantMatch(t, s, tenantID, "files", password, false)
		}
	})
}

func TestWithoutADatabaseNoPasswordIsRightOrWrong(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s, password := newService(t, db), authtest.Secret(t)
		set(t, s, "admin", "files", password)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := s.PasswordMatches(t.Context(), "admin", "files", password); got || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %t, %v", got, err)
		}
		if err := s.SetPassword(t.Context(), "admin", "files", authtest.Secret(t)); err == nil {
			t.Error("a password was set in no database")
		}
	})
}
