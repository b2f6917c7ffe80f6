package throttle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/testclock"
)

func TestAnAddressIsOneSubscriberOfASite(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1::/48 2001:db8:1:2::/64",
		"2001:db8:1:2::1":      "2001:db8:1::/48 2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/48 fe80::/64",
		"":                     "",
	} {
		if got := strings.Join(Networks(from), " "); got != want {
			t.Errorf("Networks(%q) = %q, want %q", from, got, want)
		}
	}
}

// fail makes one attempt that fails; it reports whether it was let through.
func fail(t *testing.T, g *Guard, name, from string) bool {
	t.Helper()
	attempt, err := g.Password(t.Context(), "dev", name, from)
	if err != nil {
		if !apierr.Is(err, apierr.TooMany) {
			t.Fatal(err)
		}
		return false
	}
	attempt.Fail()
	return true
}

func TestOthersFailuresDoNotLockOutWhoIsFamiliar(t *testing.T) {
	g := NewGuard(testclock.New().Now)
	attempt, err := g.Password(t.Context(), "dev", "ada", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	attempt.Succeed()
	for i := range 30 { // the account, from many addresses
		for range 10 {
			fail(t, g, "ada", fmt.Sprintf("198.51.100.%d", i))
		}
	}
	for i := range 300 { // her own address, with other names
		fail(t, g, fmt.Sprintf("nobody%d", i), "192.0.2.1")
	}
	for i := range 300 { // the whole tenant
		for j := range 50 {
			fail(t, g, fmt.Sprintf("nobody%d-%d", i, j), fmt.Sprintf("203.0.%d.%d", i/250, i%250))
		}
	}
	if _, err := g.Password(t.Context(), "dev", "Ada", "192.0.2.1"); err != nil {
		t.Errorf("locked out: %v", err)
	}
	for _, stranger := range [][2]string{{"ada", "198.51.100.7"}, {"bob", "192.0.2.1"}, {"bob", "203.0.1.1"}} {
		if fail(t, g, stranger[0], stranger[1]) {
			t.Errorf("%v was not refused", stranger)
		}
	}
	if !fail(t, g, "bob", "198.51.100.201") {
		t.Error("the tenant is closed for an address that did no harm")
	}
}

func TestAnAccountIsGuessedSlowlyFromEverywhereAndClosesForNobodyNew(t *testing.T) {
	clock := testclock.New()
	g := NewGuard(clock.Now)
	const seconds = 120
	passed := 0
	for range seconds {
		for i := range 1000 {
			if fail(t, g, "ada", fmt.Sprintf("198.51.%d.%d", i/250, i%250)) {
				passed++
			}
		}
		clock.Advance(time.Second)
	}
	if most := account.Burst + accountForNewcomers.Burst + 2*seconds/10; passed > most {
		t.Errorf("%d guesses passed, want %d at most", passed, most)
	}
	if _, err := g.Password(t.Context(), "dev", "ada", "192.0.2.1"); err != nil {
		t.Errorf("somebody new is locked out: %v", err)
	}
}

func TestTenWrongPasswordsShutOutNobodyElseAtTheirAddress(t *testing.T) {
	for name, attack := range map[string]func(g *Guard){
		"in peace": func(*Guard) {},
		"while the tenant is attacked": func(g *Guard) {
			for i := range 1000 {
				for j := range 25 {
					fail(t, g, fmt.Sprintf("nobody%d-%d", i, j), fmt.Sprintf("203.0.%d.%d", i/250, i%250))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGuard(testclock.New().Now)
			attack(g)
			for range 10 {
				if !fail(t, g, "ada", "192.0.2.1") {
					t.Fatal("a wrong password was refused unseen")
				}
			}
			if attempt, err := g.Password(t.Context(), "dev", "bob", "192.0.2.1"); err != nil {
				t.Errorf("another account is shut out: %v", err)
			} else {
				attempt.Succeed()
			}
		})
	}
}

func TestASprayingNetworkIsSlowWhateverItsAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		from func(i int) string
		most int
	}{
		"one address of IPv4":      {func(int) string { return "192.0.2.1" }, address.Burst},
		"one subscriber of IPv6":   {func(i int) string { return fmt.Sprintf("2001:db8:1:2::%x", i) }, address.Burst},
		"all subscribers of a /48": {func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) }, bySite * address.Burst},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGuard(testclock.New().Now)
			passed := 0
			for i := range 2000 {
				if fail(t, g, fmt.Sprint("nobody", i), test.from(i)) {
					passed++
				}
			}
			if passed != test.most {
				t.Errorf("%d guesses passed, want %d", passed, test.most)
			}
		})
	}
}

func TestAFamiliarAccountIsStillGuessedOnlyALittleAtItsAddress(t *testing.T) {
	g := NewGuard(testclock.New().Now)
	attempt, err := g.Password(t.Context(), "dev", "ada", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	attempt.Succeed()
	passed := 0
	for range 50 {
		if fail(t, g, "ada", "192.0.2.1") {
			passed++
		}
	}
	if passed != accountAtAddress.Burst {
		t.Errorf("%d guesses passed", passed)
	}
}

func TestFiveWrongUserCodesAreAllInTenMinutes(t *testing.T) {
	clock := testclock.New()
	g := NewGuard(clock.Now)
	try := func(tenant, name, from string) bool {
		attempt, err := g.UserCode(t.Context(), tenant, name, from)
		if err != nil {
			if !apierr.Is(err, apierr.TooMany) {
				t.Fatal(err)
			}
			return false
		}
		attempt.Fail()
		return true
	}
	for i := range 5 {
		if !try("dev", "ada", fmt.Sprintf("192.0.2.%d", i)) {
			t.Fatalf("attempt %d was refused", i)
		}
	}
	if try("dev", "ada", "198.51.100.1") {
		t.Error("the sixth was let through")
	}
	if !try("dev", "bob", "192.0.2.1") || !try("lab", "ada", "192.0.2.1") {
		t.Error("others are refused")
	}
	clock.Advance(2 * time.Minute)
	if !try("dev", "ada", "192.0.2.1") || try("dev", "ada", "192.0.2.1") {
		t.Error("one in two minutes is not let through")
	}
}

func TestAnAddressDoesNotTryManyUserCodesUnderManyNames(t *testing.T) {
	g := NewGuard(testclock.New().Now)
	passed := 0
	for i := range 100 {
		attempt, err := g.UserCode(t.Context(), "dev", fmt.Sprint("user", i), "192.0.2.1")
		if err == nil {
			attempt.Fail()
			passed++
		}
	}
	if passed != userCodesAtAddress.Burst {
		t.Errorf("%d wrong codes passed", passed)
	}
}

func TestWhatStrangersHaveStoredIsBoundedPerNetworkAndTenant(t *testing.T) {
	g := NewGuard(testclock.New().Now)
	ask := func(tenant, from string) bool {
		attempt, err := g.Device(t.Context(), tenant, from)
		if err == nil {
			attempt.Fail()
		}
		return err == nil
	}
	passed, visited := 0, 0
	for i := range 80 {
		for j := range 500 {
			from := fmt.Sprintf("2001:db8:%x:%x::1", i, j)
			if j < 100 && ask("dev", from) {
				passed++
			}
			if g.Visit(t.Context(), "dev", from) == nil {
				visited++
			}
		}
	}
	if most := devices.Burst + 80*shareOfDevices.Burst; passed > most {
		t.Errorf("%d of 8000 device codes are stored, want %d at most", passed, most)
	}
	if most := visits.Burst + 80*shareOfVisits.Burst; visited > most {
		t.Errorf("%d of 40000 visits are stored, want %d at most", visited, most)
	}
	if !ask("dev", "192.0.2.1") || !ask("lab", "2001:db8:1:1::1") || g.Visit(t.Context(), "dev", "192.0.2.1") != nil {
		t.Error("others are refused")
	}
}
