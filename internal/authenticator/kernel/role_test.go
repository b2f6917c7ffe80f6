package kernel_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/kernel"
	"gatehouse/internal/database"
)

func makeRole(t testing.TB, s *kernel.Service, tenantID, name string) {
	t.Helper()
	created, err := s.CreateRole(t.Context(), kernel.Role{
		TenantID: tenantID, Name: name, Owner: "ada", OwnerTenant: tenantID,
		Description: "x",
	})
	if err != nil || !created {
		t.Fatalf("create role %s in %s: %v, %v", name, tenantID, created, err)
	}
}

func grantRole(t testing.TB, s *kernel.Service, tenantID, username, role string) {
	t.Helper()
	if n, err := s.GrantRole(t.Context(), tenantID, username, role, "ada@"+tenantID); err != nil || n != 1 {
		t.Fatalf("grant %s to %s in %s: %d, %v", role, username, tenantID, n, err)
	}
}

func wantRole(t testing.TB, s *kernel.Service, tenantID, username, role string, want bool) {
	t.Helper()
	if got, err := s.HasRole(t.Context(), tenantID, username, role); got != want || err != nil {
		t.Errorf("%s of %s has %q: got %t, %v; want %t", username, tenantID, role, got, err, want)
	}
}

func TestARoleIsHeldByThoseWhoWereGrantedItInThatTenantAlone(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		for _, tenantID := range []string{"tacc", "dev"} {
			makeRole(t, s, tenantID, "staff")
			makeRole(t, s, tenantID, "other")
		}
		grantRole(t, s, "tacc", "bob", "staff")
		grantRole(t, s, "tacc", "Bob", "staff")
		grantRole(t, s, "tacc", "ann", "staff")
		grantRole(t, s, "tacc", "bob", "other")
		if n, err := s.GrantRole(t.Context(), "tacc", "bob", "staff", "x"); n != 0 || err != nil {
			t.Errorf("granted again: %d, %v", n, err)
		}
		wantRole(t, s, "tacc", "bob", "staff", true)
		for _, no := range [][3]string{
			{"dev", "bob", "staff"},
			{"tacc", "BOB", "staff"},
			{"tacc", "bob ", "staff"},
			{"tacc", "bob", "Staff"},
			{"tacc", "bob", "nothing"},
			{"tacc", "cat", "staff"},
			{"", "bob", "staff"},
			{"tacc", "", "staff"},
			{"tacc", "bob", ""},
			{"tacc", "bob\x00", "staff"},
			{"tacc", "\xff", "staff"},
			{"tacc", "%", "staff"},
			{"tacc", "b_b", "staff"},
			{"tacc", "bob", "$$ann"},
			{"tacc", "", "$$"},
		} {
			wantRole(t, s, no[0], no[1], no[2], false)
		}
		wantRole(t, s, "tacc", "bob", "$$bob", true)                 // everyone's default role
		wantRole(t, newService(t, db), "tacc", "bob", "staff", true) // at once on every replica

		if users, err := s.UsersWithRole(t.Context(), "tacc", "staff"); err != nil ||
			!slices.Equal(users, []string{"Bob", "ann", "bob"}) {
			t.Errorf("users with staff: %v, %v", users, err)
		}
		if users, err := s.UsersWithRole(t.Context(), "dev", "staff"); err != nil || users == nil || len(users) != 0 {
			t.Errorf("users with staff in dev: %v, %v", users, err)
		}
		if roles, err := s.RolesOf(t.Context(), "tacc", "bob"); err != nil || !slices.Equal(roles, []string{"other", "staff"}) {
			t.Errorf("roles of bob: %v, %v", roles, err)
		}
		if names, err := s.RoleNames(t.Context(), "dev"); err != nil || !slices.Equal(names, []string{"other", "staff"}) {
			t.Errorf("roles of dev: %v, %v", names, err)
		}
		if n, err := s.RevokeRole(t.Context(), "tacc", "bob", "staff"); n != 1 || err != nil {
			t.Errorf("revoked: %d, %v", n, err)
		}
		if n, err := s.RevokeRole(t.Context(), "tacc", "bob", "staff"); n != 0 || err != nil {
			t.Errorf("revoked again: %d, %v", n, err)
		}
		wantRole(t, s, "tacc", "bob", "staff", false)
		wantRole(t, s, "tacc", "ann", "staff", true)
	})
}

func TestADeletedRoleIsNobodysAndComesBackEmpty(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		makeRole(t, s, "tacc", "staff")
		makeRole(t, s, "dev", "staff")
		grantRole(t, s, "tacc", "bob", "staff")
		grantRole(t, s, "dev", "bob", "staff")
		for _, want := range []int{1, 0} {
			if n, err := s.DeleteRole(t.Context(), "tacc", "staff"); n != want || err != nil {
				t.Errorf("deleted: %d, %v", n, err)
			}
		}
		wantRole(t, s, "tacc", "bob", "staff", false)
		wantRole(t, s, "dev", "bob", "staff", true)
		makeRole(t, s, "tacc", "staff")
		wantRole(t, s, "tacc", "bob", "staff", false)
	})
}

func TestARoleThatExistsStaysAsItIs(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		makeRole(t, s, "tacc", "staff")
		created, err := s.CreateRole(t.Context(), kernel.Role{
			TenantID: "tacc", Name: "staff", Owner: "eve", OwnerTenant: "tacc",
			Description: "mine",
		})
		if created || err != nil {
			t.Errorf("created twice: %v, %v", created, err)
		}
		r, err := s.Role(t.Context(), "tacc", "staff")
		if err != nil || r.Owner != "ada" || r.OwnerTenant != "tacc" || r.Description != "x" || r.Created.Year() != 2026 {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func TestWhatDoesNotExistIsNotFound(t *testing.T) {
	s := newService(t, onlyDB(t))
	makeRole(t, s, "dev", "staff")
	for _, name := range []string{"staff", "", "\x00", "\xff", "$$bob"} {
		_, roleErr := s.Role(t.Context(), "tacc", name)
		_, usersErr := s.UsersWithRole(t.Context(), "tacc", name)
		_, grantErr := s.GrantRole(t.Context(), "tacc", "bob", name, "x")
		_, revokeErr := s.RevokeRole(t.Context(), "tacc", "bob", name)
		for what, err := range map[string]error{"role": roleErr, "users": usersErr, "grant": grantErr, "revoke": revokeErr} {
			if !apierr.Is(err, apierr.NotFound) {
				t.Errorf("%s of %q: %v", what, name, err)
			}
		}
	}
}

func TestNamesOfRolesAndAccountsThatCannotBeAreRefused(t *testing.T) {
	s := newService(t, onlyDB(t))
	for _, name := range []string{
		"", "1a", "_a", "a-b", "a b", "a.b", "ä", "a\n", "$x", "$$bob", "$!tenant_adminx", "$!other",
		"_token_generator", "a b_token_generator", "\xff", strings.Repeat("a", 59),
	} {
		_, err := s.CreateRole(t.Context(), kernel.Role{TenantID: "tacc", Name: name})
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "The field roleName ") {
			t.Errorf("role %q: %v", name, err)
		}
	}
	for _, name := range []string{"a", "A_1", strings.Repeat("a", 58), "dev-2_token_generator", kernel.AdminRole} {
		makeRole(t, s, "tacc", name)
	}
	if _, err := s.CreateRole(t.Context(), kernel.Role{
		TenantID: "tacc", Name: "b",
		Description: strings.Repeat("é", 2049),
	}); !apierr.Is(err, apierr.Invalid) {
		t.Errorf("a long description: %v", err)
	}
	for _, name := range []string{"", " bob", "bob ", "b\x00b", "b\nb", "\xff", strings.Repeat("a", 256)} {
		_, err := s.GrantRole(t.Context(), "tacc", name, "a", "x")
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "The field user ") {
			t.Errorf("user %q: %v", name, err)
		}
	}
}

func TestTheLastAdministratorKeepsTheRole(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		for _, tenantID := range []string{"tacc", "dev"} {
			makeRole(t, s, tenantID, kernel.AdminRole)
			grantRole(t, s, tenantID, "ada", kernel.AdminRole)
		}
		refused := func() {
			t.Helper()
			if n, err := s.RevokeRole(t.Context(), "tacc", "ada", kernel.AdminRole); n != 0 || !apierr.Is(err, apierr.Conflict) {
				t.Errorf("got %d, %v", n, err)
			}
		}
		refused()
		if _, err := s.DeleteRole(t.Context(), "tacc", kernel.AdminRole); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("delete: %v", err)
		}
		if n, err := s.RevokeRole(t.Context(), "tacc", "bob", kernel.AdminRole); n != 0 || err != nil {
			t.Errorf("revoked from one who has it not: %d, %v", n, err)
		}
		grantRole(t, s, "tacc", "bob", kernel.AdminRole)
		if n, err := s.RevokeRole(t.Context(), "tacc", "bob", kernel.AdminRole); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		refused()
		if admin, err := s.IsAdmin(t.Context(), "tacc", "ada"); !admin || err != nil {
			t.Errorf("got %t, %v", admin, err)
		}
	})
}

func TestAdministratorsWhoRemoveEachOtherLeaveOne(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		makeRole(t, s, "tacc", kernel.AdminRole)
		const people = 6
		for i := range people {
			grantRole(t, s, "tacc", fmt.Sprintf("p%d", i), kernel.AdminRole)
		}
		var wg sync.WaitGroup
		var gone atomic.Int32
		for i := range people {
			wg.Go(func() {
				for range 20 { // whoever loses against all the others is asked to try again
					n, err := s.RevokeRole(t.Context(), "tacc", fmt.Sprintf("p%d", i), kernel.AdminRole)
					if err == nil || apierr.Is(err, apierr.Conflict) {
						gone.Add(int32(n))
						return
					}
				}
			})
		}
		wg.Wait()
		admins, err := s.Admins(t.Context(), "tacc")
		if err != nil || len(admins) != 1 || gone.Load() != people-1 {
			t.Errorf("left: %v, %v; gone: %d", admins, err, gone.Load())
		}
	})
}

func TestWithoutADatabaseNobodyHasARoleOrLacksIt(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		s := newService(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if has, err := s.HasRole(t.Context(), "tacc", "bob", "staff"); has || !apierr.Is(err, apierr.Unavailable) {
			t.Errorf("got %t, %v", has, err)
		}
	})
}
