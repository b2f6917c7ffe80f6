package tenants

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"gatehouse/internal/apitest"
	"gatehouse/internal/database"
	"gatehouse/migrations"
)

// pair returns two registries over one database, as two replicas are.
func pair(t *testing.T, db *database.DB) (a, b *Service) {
	t.Helper()
	return newService(t, db, atNoon), newService(t, db, atNoon)
}

// rename writes through s.
func rename(t testing.TB, s *Service, id, description string) {
	t.Helper()
	put(t, s, tenantPatch(id, Tenant{Description: description}, "description"))
}

func TestAWriteIsSeenAtOnceByTheProcessThatMadeIt(t *testing.T) {
	eachSeeded(t, func(t *testing.T, s *Service) {
		h := apitest.New(t, engine(t, s), "tenants")
		tag := get(t, h, "/v3/tenants", 200).header.Get("ETag")
		get(t, h, "/v3/tenants", 304, "If-None-Match", tag)
		for i := range 20 {
			text := fmt.Sprintf("description %d", i)
			rename(t, s, "dev", text)
			for _, target := range []string{"/v3/tenants", "/v3/tenants/dev", "/v3/tenants?limit=-1"} {
				if got := string(get(t, h, target, 200, "If-None-Match", tag).raw); !strings.Contains(got, text) {
					t.Fatalf("GET %s after the write: got %s, want %q in it", target, got, text)
				}
			}
		}
		if got := get(t, h, "/v3/tenants", 200).header.Get("ETag"); got == tag {
			t.Error("the tag is the old one")
		}
	})
}

func TestAWriteThatChangesNothingKeepsTheTag(t *testing.T) {
	s := empty(t)
	for range 2 {
		seed(t, s, devSeed("8080"))
	}
	h := engine(t, s)
	tag := get(t, h, "/v3/sites", 200).header.Get("ETag")
	seed(t, s, devSeed("8080"))
	get(t, h, "/v3/sites", 304, "If-None-Match", tag)
}

func TestWritesOfAnotherReplicaAreSeenWithinTwoSeconds(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		writer, reader := pair(t, db)
		seed(t, writer, devSeed("8080"))
		h := engine(t, reader)
		get(t, h, "/v3/tenants", 200)
		get(t, h, "/v3/sites", 200)
		if err := reader.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		seed(t, writer, devSeed("9090"))
		// Everything but the default lists is right at once.
		for _, target := range []string{"/v3/tenants/dev", "/v3/sites/main", "/v3/tenants?offset=0", "/v3/sites?offset=0"} {
			if got := string(get(t, h, target, 200).raw); !strings.Contains(got, "http://localhost:9090") {
				t.Errorf("GET %s just after the write: got %s", target, got)
			}
		}
		rename(t, writer, "dev", "renamed elsewhere")
		within(t, 2*time.Second, "the description in the list", func() bool {
			return strings.Contains(string(get(t, h, "/v3/tenants", 200).raw), "renamed elsewhere")
		})
	})
}

func TestAChangeMadeByHandIsSeenToo(t *testing.T) {
	eachSeeded(t, func(t *testing.T, s *Service) {
		h := engine(t, s)
		for i, statement := range []string{
			"UPDATE tenants SET status = 'inactive' WHERE tenant_id = 'dev'",
			"UPDATE sites SET services = '[]'",
			"UPDATE ldap_connections SET port = 1389",
			"INSERT INTO ldap_connections SELECT 'other', url, port, use_ssl, user_dn, bind_dn, bind_credential, account_type, 1, 1 " +
				"FROM ldap_connections",
			"DELETE FROM ldap_connections WHERE ldap_id = 'other'",
			"UPDATE owners SET name = 'Somebody'",
			"INSERT INTO owners (email, name, institution, create_time, last_update_time) VALUES ('a@b', 'a', 'b', 1, 1)",
			"DELETE FROM owners WHERE email = 'a@b'",
			"DELETE FROM tenants WHERE tenant_id = 'dev'",
		} {
			before, err := s.snapshots.current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			execute(t, s, statement)
			after, err := s.snapshots.current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if before == after || before.counter == after.counter {
				t.Errorf("statement %d went unnoticed: %s", i, statement)
			}
		}
		get(t, h, "/v3/tenants/dev", 404)
		equal(t, "tenants", get(t, h, "/v3/tenants", 200).ids(t, "tenant_id"), []string{"admin"})
	})
}

func within(t testing.TB, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// The write comes exactly between the reading of the sites and that of the
// tenants.
func TestACopyThatAWriteInterruptsIsBegunAnew(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		writer, reader := pair(t, db)
		seed(t, writer, devSeed("8080"))
		armed := true
		err := db.Conn(t.Context()).Callback().Query().After("*").Register("interrupt", func(tx *gorm.DB) {
			if armed && tx.Statement.Table == "sites" {
				armed = false
				if err := writer.Seed(t.Context(), devSeed("9090")); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := reader.snapshots.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if armed {
			t.Fatal("no write came between")
		}
		main, _ := v.site("main")
		equal(t, "addresses of site and tenant", []string{main.BaseURL, v.content.Tenants[1].BaseURL},
			[]string{"http://localhost:9090", "http://localhost:9090"})
	})
}

// Two processes write the site's and the tenants' ports together, in one
// transaction each; no answer may show one of them old and the other new.
func TestNoReaderSeesHalfAWrite(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		writer, reader := pair(t, db)
		seed(t, writer, devSeed("10000"))
		stop := make(chan struct{})
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := writer.Seed(t.Context(), devSeed(fmt.Sprint(10000+i%2000))); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 200 {
			v, err := reader.snapshots.current(t.Context())
			if err != nil {
				t.Error(err)
				break
			}
			main, _ := v.site("main")
			port := main.BaseURL[strings.LastIndex(main.BaseURL, ":"):]
			for _, tenant := range v.content.Tenants {
				if !strings.HasSuffix(tenant.BaseURL, port) {
					t.Errorf("the site is at %s, its tenant %s at %s", main.BaseURL, tenant.ID, tenant.BaseURL)
				}
			}
		}
		close(stop)
		writing.Wait()
	})
}

// Whoever is told that a write is done, and asks for the list then, gets
// that write or a later one; never an earlier one, and never a mixture.
func TestManyReadersAndWritersNeverSeeAnOldList(t *testing.T) {
	s := empty(t)
	seed(t, s, devSeed("8080"))
	h := engine(t, s)
	rename(t, s, "dev", "round 1000")
	var mu sync.Mutex
	written := 1000
	var all sync.WaitGroup
	all.Go(func() {
		for round := 1001; round < 1100; round++ {
			rename(t, s, "dev", fmt.Sprintf("round %d", round))
			mu.Lock()
			written = round
			mu.Unlock()
		}
	})
	for range 4 {
		all.Go(func() {
			for range 200 {
				mu.Lock()
				least := written
				mu.Unlock()
				r := ask(t, h, http.MethodGet, "/v3/tenants")
				var got int
				for _, row := range r.rows(t) {
					if row["tenant_id"] == "dev" {
						_, _ = fmt.Sscanf(row["description"].(string), "round %d", &got)
					}
				}
				if got < least {
					t.Errorf("got round %d after round %d was written", got, least)
				}
			}
		})
	}
	all.Wait()
}

func TestListsOutliveTheDatabaseAndTheRestSaysSo(t *testing.T) {
	db, err := database.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context(), migrations.Tenants); err != nil {
		t.Fatal(err)
	}
	s := newService(t, db, atNoon)
	seed(t, s, devSeed("8080"))
	h := apitest.New(t, engine(t, s), "tenants")
	get(t, h, "/v3/tenants/ready", 200)
	_ = db.Close()

	get(t, h, "/v3/tenants", 200)
	get(t, h, "/v3/sites", 200)
	get(t, h, "/v3/tenants/hello", 200)
	for _, target := range []string{
		"/v3/tenants/dev", "/v3/sites/main", "/v3/tenants?limit=1", "/v3/sites?limit=1",
		"/v3/tenants/ready",
	} {
		r := get(t, h, target, 503)
		if strings.Contains(string(r.raw), "sql") {
			t.Errorf("GET %s: the answer tells internals: %s", target, r.raw)
		}
	}

	// A registry that never saw its database has nothing to answer with.
	empty := apitest.New(t, engine(t, newService(t, db, atNoon)), "tenants")
	get(t, empty, "/v3/tenants", 503)
	get(t, empty, "/v3/sites", 503)
}

func TestAfterAChangeWhoseEndIsUnknownTheListIsReadAgain(t *testing.T) {
	s := empty(t)
	seed(t, s, devSeed("8080"))
	before, err := s.snapshots.recent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.snapshots.change(ctx, func(context.Context, int64) error { cancel(); return nil })
	if err == nil {
		t.Fatal("the commit went through; this test needs one that fails")
	}
	after, err := s.snapshots.recent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("the view from before the change is still in use")
	}
}

func TestStartAndCloseKeepTheirPromises(t *testing.T) {
	s := empty(t)
	if err := s.Close(); err != nil {
		t.Errorf("close before start: %v", err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("a second start is possible")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	select {
	case <-s.done:
	default:
		t.Error("the background work goes on after Close")
	}
}

func TestNewWantsAllItNeeds(t *testing.T) {
	db := newDB(t)
	log := slog.New(slog.DiscardHandler)
	for _, deps := range []Deps{{}, {DB: db, Log: log}, {DB: db, Now: time.Now}, {Log: log, Now: time.Now}} {
		if _, err := New(deps); err == nil {
			t.Errorf("%+v is accepted", deps)
		}
	}
}

func TestAnAssociateIsNotTakenForThePrimarySite(t *testing.T) {
	if site, found := newSnapshot(1, 1, Content{Sites: []Site{associateSite()}}).primary(); found {
		t.Errorf("got %+v", site)
	}
}

func TestHostsOfTenantsWithTLSAreKnown(t *testing.T) {
	eachWide(t, func(t *testing.T, s *Service) {
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]bool{
			"east-one.example.org": true, "East-One.example.org:443": true, "east-one.example.org:8443": false,
			"localhost:8080": false, "nowhere.example.org": false, "": false,
		} {
			if s.IsSecure(host) != want {
				t.Errorf("%q is secure: %t", host, !want)
			}
		}
	})
}
