package tokens

import (
	"fmt"
	"testing"

	"gatehouse/internal/authn"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

// twoTenants returns a store in which the tenants one and two hold records
// with equal ids, clients, users and families.
func twoTenants(t *testing.T, db *database.DB) store {
	t.Helper()
	s := store{db}
	for _, tenantID := range []string{"one", "two"} {
		row := tokenRow{
			TenantID: tenantID, JTI: "access", TokenType: authn.AccessToken, FamilyID: "family", FamilyEnd: 100, Username: "user",
			ClientID: "client", GrantType: "password", CreateTime: 10, ExpiryTime: 50, Began: 5,
		}
		refresh := row
		refresh.JTI, refresh.TokenType, refresh.ExpiryTime = "refresh", authn.RefreshToken, 100
		if err := s.insertTokens(t.Context(), []tokenRow{row, refresh}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// insert records an access token of the tenant one.
func insert(t *testing.T, s store, r tokenRow) {
	t.Helper()
	r.TenantID, r.TokenType = "one", authn.AccessToken
	if err := s.insertTokens(t.Context(), []tokenRow{r}); err != nil {
		t.Fatal(err)
	}
}

// of names a record that twoTenants made, or one like its access token.
func of(tenantID, jti string) record {
	expiry := database.Micros(50)
	if jti == "refresh" {
		expiry = 100
	}
	return record{tenantID: tenantID, jti: jti, expiry: expiry}
}

func read(t *testing.T, s store, tenantID, jti string) standing {
	t.Helper()
	state, found, err := s.standing(t.Context(), of(tenantID, jti))
	if err != nil || !found {
		t.Fatalf("record of %s in %s: found %t, %v", jti, tenantID, found, err)
	}
	return state
}

// untouched fails if anything in tenant two is not as it was seeded.
func untouched(t *testing.T, s store) {
	t.Helper()
	for jti, tokenType := range map[string]string{"access": authn.AccessToken, "refresh": authn.RefreshToken} {
		want := standing{
			TokenType: tokenType, FamilyID: "family", Username: "user", ClientID: "client", GrantType: "password",
			Began: 5, FamilyEnd: 100,
		}
		if got := read(t, s, "two", jti); got != want {
			t.Errorf("in tenant two: got %+v, want %+v", got, want)
		}
	}
}

func TestNoStoreMethodCrossesTenants(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, s store){
		"a third tenant has nothing": func(t *testing.T, s store) {
			for _, tenantID := range []string{"three", "", "ONE", "one%", "one "} {
				if _, found, err := s.standing(t.Context(), of(tenantID, "access")); found || err != nil {
					t.Errorf("tenant %q: found %t, %v", tenantID, found, err)
				}
				if first, err := s.consume(t.Context(), of(tenantID, "refresh"), "sealed", 20); first || err != nil {
					t.Errorf("tenant %q: consumed %t, %v", tenantID, first, err)
				}
			}
			if read(t, s, "one", "refresh").RotateTime != 0 {
				t.Error("a token of tenant one was consumed")
			}
		},
		"consume": func(t *testing.T, s store) {
			for i, want := range []bool{true, false} {
				if first, err := s.consume(t.Context(), of("one", "refresh"), "sealed", 20); first != want || err != nil {
					t.Errorf("call %d: got %t, %v", i, first, err)
				}
			}
			if got := read(t, s, "one", "refresh"); got.RotateTime != 20 || got.Successor != "sealed" {
				t.Errorf("got %+v", got)
			}
			if first, err := s.consume(t.Context(), of("one", "access"), "sealed", 20); first || err != nil {
				t.Errorf("an access token was consumed: %t, %v", first, err)
			}
		},
		"mark a family": func(t *testing.T, s store) {
			if err := s.mark(t.Context(), familyMark("one", "family", 100)); err != nil {
				t.Fatal(err)
			}
			for _, jti := range []string{"access", "refresh"} {
				if !read(t, s, "one", jti).revoked() {
					t.Errorf("%s of a revoked family stands", jti)
				}
			}
			insert(t, s, tokenRow{JTI: "alone", Username: "user", CreateTime: 10, ExpiryTime: 50})
			if read(t, s, "one", "alone").revoked() {
				t.Error("a token without a family fell with one")
			}
		},
		"mark a client": func(t *testing.T, s store) {
			for _, number := range []int64{6, forever, 2} { // a mark only grows
				if err := s.mark(t.Context(), markRow{TenantID: "one", Kind: "client", Name: "client", Number: number}); err != nil {
					t.Fatal(err)
				}
				if got := read(t, s, "one", "access"); !got.revoked() {
					t.Errorf("got %+v", got)
				}
			}
		},
		"mark a user": func(t *testing.T, s store) {
			if err := s.mark(t.Context(), markRow{TenantID: "one", Kind: "user", Name: "user", Number: 5}); err != nil {
				t.Fatal(err)
			}
			if got := read(t, s, "one", "refresh"); got.revoked() {
				t.Errorf("a token whose grant began at the number of the mark: %+v", got)
			}
			// A user named like the client, and the reverse, is somebody else.
			for kind, name := range map[string]string{"user": "client", "client": "user"} {
				if err := s.mark(t.Context(), markRow{TenantID: "one", Kind: kind, Name: name, Number: forever}); err != nil {
					t.Fatal(err)
				}
			}
			if read(t, s, "one", "refresh").revoked() {
				t.Error("the mark of another kind counts")
			}
		},
		"a mark without a number": func(t *testing.T, s store) {
			for before, void := range map[database.Micros]bool{10: false, 11: true} {
				mark := markRow{TenantID: "one", Kind: "user", Name: "user", IssuedBefore: before}
				if err := s.db.Conn(t.Context()).Create(&mark).Error; err != nil {
					t.Fatal(err)
				}
				if got := read(t, s, "one", "access"); got.revoked() != void {
					t.Errorf("before %d: %+v", before, got)
				}
				if err := s.db.Conn(t.Context()).Exec(`DELETE FROM revocation_marks`).Error; err != nil {
					t.Fatal(err)
				}
			}
		},
		"revocations are counted": func(t *testing.T, s store) {
			for i, want := range []int64{1, 2, 3} {
				if n, err := s.number(t.Context(), "one"); n != want || err != nil {
					t.Errorf("before revocation %d: %d, %v", i, n, err)
				}
				if n, err := s.nextNumber(t.Context(), "one"); n != want+1 || err != nil {
					t.Errorf("revocation %d: %d, %v", i, n, err)
				}
			}
			if n, err := s.number(t.Context(), "two"); n != 1 || err != nil {
				t.Errorf("in tenant two: %d, %v", n, err)
			}
		},
		"the same ids again": func(t *testing.T, s store) {
			row := tokenRow{TenantID: "one", JTI: "access", TokenType: authn.AccessToken, Username: "other", CreateTime: 1, ExpiryTime: 50}
			if err := s.insertTokens(t.Context(), []tokenRow{row}); !database.IsDuplicate(err) {
				t.Errorf("a jti was recorded twice: %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
				s := twoTenants(t, db)
				test(t, s)
				untouched(t, s)
			})
		})
	}
}

func TestTheJanitorHoldsTheDatabaseForABatchAtATime(t *testing.T) {
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		s := store{db}
		for i := range sweepBatch + 1 {
			insert(t, s, tokenRow{JTI: fmt.Sprint(i), CreateTime: 1, ExpiryTime: database.Micros(i)})
		}
		for i, want := range []int64{sweepBatch, 1, 0} {
			if n, err := s.sweep(t.Context(), 10_000); n != want || err != nil {
				t.Errorf("call %d: swept %d, %v; want %d", i, n, err, want)
			}
		}
	})
}
