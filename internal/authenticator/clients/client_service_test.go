package clients_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/seal"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

func TestTheSameClientIDInTwoTenantsIsTwoClients(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		key := seal.NewSecret()
		one := f.register("tacc", "apitest", clients.Registration{ID: "portal", Key: key, CallbackURL: "https://one.example.org/"})
		two := f.register("dev", "apitest", clients.Registration{ID: "portal"})
		if _, err := f.Authenticate(ctx, "dev", "portal", one.Key); !errors.Is(err, clients.ErrCredentials) {
			t.Errorf("the key of one tenant opens the other: %v", err)
		}
		f.Clock.Advance(time.Second)
		if _, err := f.Update(ctx, "tacc", "apitest", "portal", clients.Change{DisplayName: ptr("changed")}, false); err != nil {
			t.Fatal(err)
		}
		f.Must(f.Deactivate(ctx, "tacc", "apitest", "portal"))
		f.wantClient(two)
		if _, err := f.Authenticate(ctx, "dev", "portal", two.Key); err != nil {
			t.Errorf("the other tenant's client went with it: %v", err)
		}
		list, total, err := f.List(ctx, "dev", "apitest", true, true, -1, 0)
		if err != nil || total != 1 || len(list) != 1 || !reflect.DeepEqual(list[0], two) {
			t.Errorf("got %+v, %d, %v", list, total, err)
		}
		if list, total, err = f.List(ctx, "", "apitest", true, true, -1, 0); err != nil || total != 0 || len(list) != 0 {
			t.Errorf("without a tenant: %+v, %d, %v", list, total, err)
		}
	})
}

func TestATakenIDIsAConflictThatTellsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		first := f.register("tacc", "ada", clients.Registration{ID: "portal", Description: "of Ada"})
		f.register("tacc", "ada", clients.Registration{ID: "gone"})
		f.deactivate("gone")
		for _, owner := range []string{"ada", "bob"} {
			for _, id := range []string{"portal", "gone"} {
				_, err := f.Register(t.Context(), "tacc", owner, clients.Registration{ID: id})
				if !apierr.Is(err, apierr.Conflict) || err.Error() != "The client_id is not available." {
					t.Errorf("%s takes %s: %v", owner, id, err)
				}
			}
		}
		f.wantClient(first)
		// Ids are compared exactly.
		f.register("tacc", "bob", clients.Registration{ID: "Portal"})
	})
}

func TestListsAreWindowsInAStableOrder(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		// Two pairs are made at the same moment: their ids decide.
		for _, id := range []string{"d", "b", "c", "a", "e"} {
			f.register("tacc", "ada", clients.Registration{ID: id})
			if id == "b" || id == "a" {
				f.Clock.Advance(time.Second)
			}
		}
		f.register("tacc", "bob", clients.Registration{ID: "bobs"})
		f.register("dev", "ada", clients.Registration{ID: "elsewhere"})
		f.deactivate("c")
		for _, c := range []struct {
			inactive      bool
			limit, offset int
			want          string
			total         int
		}{
			{false, -1, 0, "b d a e", 4},
			{true, -1, 0, "b d a c e", 5},
			{true, 2, 0, "b d", 5},
			{true, 2, 2, "a c", 5},
			{true, 2, 4, "e", 5},
			{true, 2, 5, "", 5},
			{true, 2, 1 << 30, "", 5},
			{true, -1, 3, "c e", 5},
			{true, -1, 99, "", 5},
			{true, 0, 0, "", 5},
			{true, 0, 2, "", 5},
			{false, 99, 3, "e", 4},
		} {
			list, total, err := f.List(t.Context(), "tacc", "ada", c.inactive, false, c.limit, c.offset)
			var ids []string
			for _, client := range list {
				ids = append(ids, client.ID)
			}
			if err != nil || strings.Join(ids, " ") != c.want || total != c.total || list == nil {
				t.Errorf("limit %d, offset %d: got %v of %d, %v; want %s of %d", c.limit, c.offset, ids, total, err, c.want, c.total)
			}
		}
	})
}

func TestNobodyReachesTheClientOfAnother(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		c := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		for name, call := range map[string]func(owner, id string) error{
			"get": func(owner, id string) error { _, err := f.Get(ctx, "tacc", owner, id, true); return err },
			"update": func(owner, id string) error {
				_, err := f.Update(ctx, "tacc", owner, id, clients.Change{DisplayName: ptr("taken over")}, true)
				return err
			},
			"delete": func(owner, id string) error { return f.Deactivate(ctx, "tacc", owner, id) },
		} {
			for _, owner := range []string{"bob", "", "ADA", "ada "} {
				if err := call(owner, "portal"); !apierr.Is(err, apierr.Forbidden) || strings.Contains(err.Error(), "ada") {
					t.Errorf("%s by %q: %v", name, owner, err)
				}
			}
			for _, id := range []string{
				"unknown", "", "PORTAL", "portal ", "a/b", "portal\x00", "\xff", strings.Repeat("x", 200), "' OR '1'='1",
			} {
				if err := call("ada", id); !apierr.Is(err, apierr.NotFound) {
					t.Errorf("%s of %q: %v", name, id, err)
				}
			}
		}
		f.wantClient(c)
	})
}

func TestAnUpdateChangesWhatItNamesAndSaysWhen(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		want := f.register("tacc", "ada", clients.Registration{ID: "portal", CallbackURL: "https://one.example.org/", Description: "d"})
		key := want.Key
		for _, change := range []clients.Change{
			{CallbackURL: ptr("https://two.example.org/")}, {DisplayName: ptr("Two")}, {CallbackURL: ptr(""), DisplayName: ptr("")},
		} {
			f.Clock.Advance(time.Minute)
			want.LastUpdated = f.Clock.Now()
			if change.CallbackURL != nil {
				want.RedirectURIs = []string{}
				if *change.CallbackURL != "" {
					want.RedirectURIs = []string{*change.CallbackURL}
				}
			}
			if change.DisplayName != nil {
				want.DisplayName = *change.DisplayName
			}
			got, err := f.Update(ctx, "tacc", "ada", "portal", change, true)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("answered %+v, %v; want %+v", got, err, want)
			}
			if got, err = f.Get(ctx, "tacc", "ada", "portal", true); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("stored %+v, %v; want %+v", got, err, want)
			}
		}
		if _, err := f.Authenticate(ctx, "tacc", "portal", key); err != nil {
			t.Errorf("the key was lost: %v", err)
		}
	})
}

func TestAnUpdateOfNothingWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		want := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		before := testdb.Dump(t, f.DB)
		f.Clock.Advance(time.Minute)
		got, err := f.Update(t.Context(), "tacc", "ada", "portal", clients.Change{}, true)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if len(testdb.Dump(t, f.DB)) != len(before) {
			t.Error("something was written")
		}
		f.wantClient(want)
	})
}

func TestADeletedClientIsInactiveForGood(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		c := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		f.Clock.Advance(time.Minute)
		deleted := f.Clock.Now()
		for range 2 { // the second time is no error and changes nothing
			f.deactivate("portal")
			got, err := f.Get(ctx, "tacc", "ada", "portal", false)
			if err != nil || got.Active || !got.LastUpdated.Equal(deleted) {
				t.Errorf("got %+v, %v; want it inactive since %s", got, err, deleted)
			}
			f.Clock.Advance(time.Minute)
		}
		if _, err := f.Authenticate(ctx, "tacc", "portal", c.Key); !errors.Is(err, clients.ErrCredentials) {
			t.Errorf("its key still works: %v", err)
		}
		for _, change := range []clients.Change{{}, {DisplayName: ptr("back")}} {
			if _, err := f.Update(ctx, "tacc", "ada", "portal", change, false); !apierr.Is(err, apierr.Conflict) {
				t.Errorf("it was changed: %v", err)
			}
		}
		if dump := testdb.Dump(t, f.DB); !strings.Contains(dump, "revocation_marks:") {
			t.Errorf("its tokens were not revoked:\n%s", dump)
		}
	})
}

func TestAChangeOfAClientIsKnownHereAtOnceAndToOtherReplicasASecondLater(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		replica := clients.New(clients.Deps{DB: f.DB, Box: f.Box, Now: f.Clock.Now})
		c := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		good := func(s *clients.Service, key string) bool {
			_, err := s.Authenticate(t.Context(), "tacc", "portal", key)
			if err != nil && !errors.Is(err, clients.ErrCredentials) {
				t.Fatal(err)
			}
			return err == nil
		}
		if !good(f.Service, c.Key) || !good(replica, c.Key) {
			t.Fatal("the first key is refused")
		}
		rotated, err := f.RotateKey(t.Context(), "tacc", "ada", "portal", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		testlog.Secret(t, rotated.Key)
		if good(f.Service, c.Key) || !good(f.Service, rotated.Key) || !good(replica, rotated.Key) || good(replica, c.Key) {
			t.Error("a replica that saw the new key does not know that the old one is void")
		}
		f.deactivate("portal")
		if good(f.Service, rotated.Key) {
			t.Error("an inactive client is good where it was switched off")
		}
		f.Clock.Advance(time.Second)
		if good(replica, rotated.Key) {
			t.Error("an inactive client is good elsewhere after a second")
		}
	})
}

func TestAClientWhoseTokensCannotBeRevokedStaysActive(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		c := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		f.Exec(`DROP TABLE revocation_marks`)
		if err := f.Deactivate(t.Context(), "tacc", "ada", "portal"); err == nil {
			t.Error("no failure was seen")
		}
		if _, err := f.Authenticate(t.Context(), "tacc", "portal", c.Key); err != nil {
			t.Errorf("the half of a deletion was kept: %v", err)
		}
	})
}

func TestOnlyTheRightSecretOfAnActiveClientAuthenticates(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		good := f.register("tacc", "ada", clients.Registration{ID: "portal", CallbackURL: "https://one.example.org/"})
		other := f.register("tacc", "ada", clients.Registration{ID: "other"})
		gone := f.register("tacc", "ada", clients.Registration{ID: "gone"})
		f.register("tacc", "ada", clients.Registration{ID: "app", AuthMethod: "none"})
		f.register("tacc", "ada", clients.Registration{ID: "broken"})
		f.Exec(`UPDATE clients SET key_hash = '' WHERE client_id = 'broken'`)
		f.register("tacc", "ada", clients.Registration{ID: "goneapp", AuthMethod: "none"})
		for _, id := range []string{"gone", "goneapp"} {
			f.deactivate(id)
		}
		for name, c := range map[string]struct {
			tenant, id, secret string
			ok                 bool
		}{
			"right":                             {"tacc", "portal", good.Key, true},
			"wrong":                             {"tacc", "portal", seal.NewSecret(), false},
			"of another client":                 {"tacc", "portal", other.Key, false},
			"cut":                               {"tacc", "portal", good.Key[:42], false},
			"with more":                         {"tacc", "portal", good.Key + "x", false},
			"with NUL":                          {"tacc", "portal", good.Key + "\x00", false},
			"in other letters":                  {"tacc", "portal", strings.ToUpper(good.Key), false},
			"none":                              {"tacc", "portal", "", false},
			"id in other letters":               {"tacc", "PORTAL", good.Key, false},
			"in another tenant":                 {"dev", "portal", good.Key, false},
			"in no tenant":                      {"", "portal", good.Key, false},
			"unknown":                           {"tacc", "unknown", good.Key, false},
			"unknown, none":                     {"tacc", "unknown", "", false},
			"no id":                             {"tacc", "", "", false},
			"inactive":                          {"tacc", "gone", gone.Key, false},
			"inactive, none":                    {"tacc", "gone", "", false},
			"public":                            {"tacc", "app", "", true},
			"public with a secret":              {"tacc", "app", good.Key, false},
			"public and inactive":               {"tacc", "goneapp", "", false},
			"secret client without hash":        {"tacc", "broken", "", false},
			"secret client without hash, given": {"tacc", "broken", good.Key, false},
		} {
			got, err := f.Authenticate(t.Context(), c.tenant, c.id, c.secret)
			switch {
			case c.ok && (err != nil || got.ID != c.id || got.TenantID != c.tenant || got.Key != ""):
				t.Errorf("%s: got %+v, %v", name, got, err)
			case !c.ok && (!errors.Is(err, clients.ErrCredentials) || !reflect.DeepEqual(got, clients.Client{})):
				t.Errorf("%s: got %+v, %v; want ErrCredentials", name, got, err)
			}
		}
	})
}

func TestIDsThatCannotExistNeverReachTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Must(f.DB.Close())
		for _, id := range []string{
			"", "\x00", "portal\x00", "\xff\xfe", "a b", "a/b", "a'b", "\u202e", "a\n", strings.Repeat("x", 81),
			strings.Repeat("x", 1<<20),
		} {
			if _, err := f.Authenticate(t.Context(), "tacc", id, "x"); !errors.Is(err, clients.ErrCredentials) {
				t.Errorf("%.20q: %v", id, err)
			}
			if _, err := f.Get(t.Context(), "tacc", "ada", id, false); !apierr.Is(err, apierr.NotFound) {
				t.Errorf("%.20q: %v", id, err)
			}
		}
	})
}

func TestWithoutADatabaseClientsAreNotAvailable(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		c := f.register("tacc", "ada", clients.Registration{ID: "portal"})
		f.Must(f.DB.Close())
		_, register := f.Register(ctx, "tacc", "ada", clients.Registration{})
		_, _, list := f.List(ctx, "tacc", "ada", false, false, -1, 0)
		_, get := f.Get(ctx, "tacc", "ada", "portal", false)
		_, update := f.Update(ctx, "tacc", "ada", "portal", clients.Change{}, false)
		_, authenticate := f.Authenticate(ctx, "tacc", "portal", c.Key)
		for name, err := range map[string]error{
			"Register": register, "List": list, "Get": get, "Update": update, "Authenticate": authenticate,
			"Deactivate": f.Deactivate(ctx, "tacc", "ada", "portal"),
		} {
			if !apierr.Is(err, apierr.Unavailable) || errors.Is(err, clients.ErrCredentials) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNoKeyStandsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		chosen := seal.NewSecret()
		generated := f.register("tacc", "ada", clients.Registration{ID: "generated"})
		f.register("tacc", "ada", clients.Registration{ID: "chosen", Key: chosen})
		f.register("dev", "bob", clients.Registration{ID: "chosen", Key: chosen})
		dump := testdb.Dump(t, f.DB)
		if strings.Count(dump, "key_sealed=v1.") != 3 {
			t.Fatalf("the dump misses the clients:\n%s", dump)
		}
		for _, key := range []string{generated.Key, chosen} {
			for _, form := range []string{
				key, base64.StdEncoding.EncodeToString([]byte(key)), base64.RawURLEncoding.EncodeToString([]byte(key)),
				hex.EncodeToString([]byte(key)),
			} {
				if strings.Contains(dump, form) {
					t.Error("a key stands in the database")
				}
			}
		}
		var hashes []string
		f.Must(f.DB.Conn(t.Context()).Raw(`SELECT DISTINCT key_hash FROM clients`).Scan(&hashes).Error)
		if len(hashes) != 3 {
			t.Errorf("%d different hashes: equal keys look equal", len(hashes))
		}
	})
}

func TestAKeyMovedToAnotherRowOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		mine := f.register("tacc", "mallory", clients.Registration{ID: "mine"})
		f.register("tacc", "ada", clients.Registration{ID: "portal"})
		f.register("dev", "ada", clients.Registration{ID: "mine"})
		f.Exec(`UPDATE clients SET key_hash = (SELECT key_hash FROM clients WHERE tenant_id = 'tacc' AND client_id = 'mine')
		            WHERE tenant_id = 'dev' OR client_id = 'portal'`)
		for _, c := range [][2]string{{"tacc", "portal"}, {"dev", "mine"}} {
			if _, err := f.Authenticate(ctx, c[0], c[1], mine.Key); !errors.Is(err, clients.ErrCredentials) {
				t.Errorf("a moved hash opens %s in %s: %v", c[1], c[0], err)
			}
		}
		f.Exec(`UPDATE clients SET key_sealed = (SELECT key_sealed FROM clients WHERE tenant_id = 'tacc' AND client_id = 'portal')
		            WHERE client_id = 'mine'`)
		for _, c := range [][2]string{{"tacc", "mallory"}, {"dev", "ada"}} {
			if got, err := f.Get(ctx, c[0], c[1], "mine", true); !apierr.Is(err, apierr.Internal) || got.Key != "" {
				t.Errorf("a moved key shows in %s: %v", c[0], err)
			}
		}
		if got, err := f.Get(ctx, "tacc", "mallory", "mine", false); err != nil || got.Key != "" {
			t.Errorf("where no key is asked for none is opened: %v", err)
		}
	})
}

func TestOnePersonMayHaveAHundredActiveClientsInATenant(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for i := range clients.MaxPerOwner {
			f.register("tacc", "ada", clients.Registration{ID: fmt.Sprintf("client-%d", i)})
		}
		if _, err := f.Register(t.Context(), "tacc", "ada", clients.Registration{}); !apierr.Is(err, apierr.Conflict) {
			t.Errorf("one more: %v", err)
		}
		f.register("tacc", "bob", clients.Registration{})
		f.register("dev", "ada", clients.Registration{})
		f.deactivate("client-7")
		f.register("tacc", "ada", clients.Registration{})
	})
}

func TestParallelRegistrationsOfOneIDHaveOneWinner(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const parallel = 8
		var (
			done sync.WaitGroup
			errs [parallel]error
			made [parallel]clients.Client
		)
		for i := range parallel {
			done.Go(func() {
				made[i], errs[i] = f.Register(t.Context(), "tacc", fmt.Sprintf("owner-%d", i), clients.Registration{ID: "portal"})
			})
		}
		done.Wait()
		winners := 0
		for i, err := range errs {
			switch {
			case err == nil:
				winners++
				if got, err := f.Authenticate(t.Context(), "tacc", "portal", made[i].Key); err != nil || got.Owner != made[i].Owner {
					t.Errorf("the winner's key does not work: %v", err)
				}
			case !apierr.Is(err, apierr.Conflict) || !reflect.DeepEqual(made[i], clients.Client{}):
				t.Errorf("request %d: %+v, %v", i, made[i], err)
			}
		}
		if winners != 1 {
			t.Errorf("%d requests registered the id", winners)
		}
	})
}
