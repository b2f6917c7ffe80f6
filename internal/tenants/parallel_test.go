package tenants

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"gatehouse/internal/database"
)

// replicas returns two registries that are written at the same time.
func replicas(t *testing.T, db *database.DB) [2]http.Handler {
	t.Helper()
	first := newFixture(t, db)
	return [2]http.Handler{first, engine(t, newServiceAsking(t, db, first.clock.Now, first.authenticator))}
}

// atOnce sends n requests at the same time, in turn to each replica, and
// counts the statuses.
func atOnce(t *testing.T, n int, of [2]http.Handler, method, target string, body func(i int) string) map[int]int {
	t.Helper()
	statuses := make([]int, n)
	headers := service(t, "tenants@admin")
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { statuses[i] = send(t, of[i%2], method, target, body(i), headers...).status })
	}
	all.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	return counts
}

func TestOfManyWhoMakeTheSameRowOneDoes(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		h := replicas(t, db)
		for target, base := range map[string]object{
			"/v3/tenants": newTenantBody, "/v3/sites": newSiteBody, "/v3/tenants/ldaps": newLDAPBody, "/v3/tenants/owners": newOwnerBody,
		} {
			same := func(int) string { return body(t, base, nil) }
			equal(t, target, atOnce(t, 8, h, "POST", target, same), map[int]int{201: 1, 409: 7})
		}
		// One address, many ids; one id in many spellings.
		equal(t, "one host", atOnce(t, 6, h, "POST", "/v3/tenants", func(i int) string {
			return body(t, newTenantBody,
				object{"tenant_id": fmt.Sprint("t", i), "base_url": []string{"http", "https"}[i%2] + "://one.localhost"})
		}), map[int]int{201: 1, 409: 5})
		equal(t, "one id", atOnce(t, 6, h, "POST", "/v3/tenants", func(i int) string {
			return body(t, newTenantBody,
				object{"tenant_id": []string{"Same", "same", "SAME"}[i%3], "base_url": fmt.Sprintf("https://s%d.example.org", i)})
		}), map[int]int{201: 1, 409: 5})
	})
}

func TestTwoPrimarySitesAreNeverMade(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		h := replicas(t, db)
		got := atOnce(t, 6, h, "POST", "/v3/sites", func(i int) string {
			return body(t, newSiteBody, object{
				"site_id": fmt.Sprint("p", i), "primary": true, "base_url": fmt.Sprintf("https://p%d.org", i),
				"tenant_base_url_template": fmt.Sprintf("https://${tenant_id}.p%d.org", i),
			})
		})
		equal(t, "primary sites", got, map[int]int{409: 6})
	})
}

func TestUpdatesAtTheSameTimeAreAllKept(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		h := replicas(t, db)
		const n = 24
		fields := []string{"description", "admin_user", "token_service"}
		got := atOnce(t, n, h, "PUT", "/v3/tenants/dev", func(i int) string {
			return body(t, object{fields[i%3]: fmt.Sprintf("https://value-%d", i)}, nil)
		})
		equal(t, "statuses", got, map[int]int{200: n})
		rows := get(t, h[1], "/v3/tenants/dev/history", 200).rows(t)
		equal(t, "updates", len(rows), n)
		last := map[string]any{
			"description": "The dev tenant.", "admin_user": "testadmin",
			"token_service": "http://localhost:8080/v3/tokens",
		}
		var seen []string
		for _, row := range rows {
			for field, change := range row["updates"].(object) {
				equal(t, field+" was", change.(object)["prev"], last[field])
				last[field] = change.(object)["new"]
				text, _ := json.Marshal(last[field])
				seen = append(seen, string(text))
			}
		}
		slices.Sort(seen)
		equal(t, "different values", len(slices.Compact(seen)), n)
		now := get(t, h[0], "/v3/tenants/dev", 200).object(t)
		for field, value := range last {
			equal(t, field, now[field], value)
		}
	})
}

func TestAReferenceNeverOutlivesWhatItNames(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		h := replicas(t, db)
		for i := range 5 {
			wants(t, h[0], 201, "", "POST", "/v3/tenants/owners", body(t, newOwnerBody, nil))
			headers := service(t, "tenants@admin")
			var taken, gone reply
			var both sync.WaitGroup
			both.Go(func() {
				taken = send(t, h[0], "PUT", "/v3/tenants/dev", `{"owner":"new@example.org"}`, headers...)
			})
			both.Go(func() { gone = send(t, h[1], "DELETE", "/v3/tenants/owners/new@example.org", "", headers...) })
			both.Wait()
			pair := [2]int{taken.status, gone.status}
			if pair != [2]int{200, 409} && pair != [2]int{400, 200} {
				t.Errorf("round %d: %v", i, pair)
			}
			wants(t, h[0], 200, "", "PUT", "/v3/tenants/dev", `{"owner":"ops@example.org"}`)
			if taken.status == 200 {
				wants(t, h[0], 200, "", "DELETE", "/v3/tenants/owners/new@example.org", "")
			}
		}
	})
}
