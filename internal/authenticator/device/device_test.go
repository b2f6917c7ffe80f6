package device_test

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
	"gatehouse/migrations"
)

// world is the device codes of a client, app, in two tenants.
type world struct {
	*device.Service

	db  *database.DB
	now time.Time
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, migrations.Authenticator, func(t *testing.T, db *database.DB) {
		w := &world{db: db, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
		w.Service = device.New(db, func() time.Time { return w.now })
		test(t, w)
	})
}

// request makes a device code in dev and finds it as a person would.
func (w *world) request(t *testing.T) (string, device.Code) {
	t.Helper()
	issued, err := w.Request(t.Context(), "dev", "app", "openid", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	testlog.Secret(t, issued.DeviceCode)
	code, err := w.Find(t.Context(), "dev", issued.UserCode)
	if err != nil {
		t.Fatal(err)
	}
	return issued.DeviceCode, code
}

// entered makes a device code that ada entered.
func (w *world) entered(t *testing.T) (string, device.Code) {
	t.Helper()
	raw, code := w.request(t)
	if err := w.Enter(t.Context(), "dev", code.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	return raw, code
}

// poll redeems and fails unless it ends with want.
func (w *world) poll(t *testing.T, raw string, want error) device.Approval {
	t.Helper()
	got, err := w.Redeem(t.Context(), "dev", "app", raw)
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	return got
}

var ada = device.Approver{Username: "ada"}

func TestACodeIsApprovedByWhomEnteredItAndRedeemedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		raw, code := w.request(t)
		if code.ClientID != "app" || code.Scope != "openid" || code.Address != "192.0.2.1" || code.Status != device.Created ||
			!code.CreateTime.Equal(w.now) || !code.ExpiryTime.Equal(w.now.Add(device.Lifetime)) || code.Username != "" {
			t.Errorf("%+v", code)
		}
		w.poll(t, raw, device.ErrPending)
		// A-B02: neither approving nor denying works before it is entered, and
		// entering it gives nothing yet.
		if err := w.Approve(ctx, "dev", code.ID, ada); !errors.Is(err, device.ErrState) {
			t.Errorf("approved before it was entered: %v", err)
		}
		if err := w.Deny(ctx, "dev", code.ID, "ada"); !errors.Is(err, device.ErrState) {
			t.Errorf("denied before it was entered: %v", err)
		}
		for range 2 { // the page may be loaded again
			if err := w.Enter(ctx, "dev", code.ID, "ada"); err != nil {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(device.Interval)
		w.poll(t, raw, device.ErrPending)
		// It is ada's now.
		for name, err := range map[string]error{
			"enter":   w.Enter(ctx, "dev", code.ID, "bob"),
			"approve": w.Approve(ctx, "dev", code.ID, device.Approver{Username: "bob"}),
			"deny":    w.Deny(ctx, "dev", code.ID, "bob"),
		} {
			if !errors.Is(err, device.ErrState) {
				t.Errorf("%s by somebody else: %v", name, err)
			}
		}
		by := device.Approver{Username: "ada", AuthTime: w.now.Add(-time.Minute), AMR: []string{"pwd", "otp"}, IDPID: "campus", TTL: time.Hour}
		if err := w.Approve(ctx, "dev", code.ID, by); err != nil {
			t.Fatal(err)
		}
		if found, err := w.Get(ctx, "dev", code.ID); err != nil || found.Status != device.Approved || found.Username != "ada" {
			t.Errorf("%+v, %v", found, err)
		}
		for name, err := range map[string]error{
			"enter": w.Enter(ctx, "dev", code.ID, "ada"), "approve": w.Approve(ctx, "dev", code.ID, ada), "deny": w.Deny(ctx, "dev", code.ID, "ada"),
		} {
			if !errors.Is(err, device.ErrState) {
				t.Errorf("%s after the approval: %v", name, err)
			}
		}
		if got := w.poll(t, raw, nil); !reflect.DeepEqual(got, device.Approval{Approver: by, Scope: "openid"}) {
			t.Errorf("%+v", got)
		}
		w.poll(t, raw, device.ErrConsumed)
	})
}

func TestADeniedCodeStaysDenied(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		raw, code := w.entered(t)
		if err := w.Deny(t.Context(), "dev", code.ID, "ada"); err != nil {
			t.Fatal(err)
		}
		if err := w.Approve(t.Context(), "dev", code.ID, ada); !errors.Is(err, device.ErrState) {
			t.Errorf("approved: %v", err)
		}
		w.poll(t, raw, device.ErrDenied)
		w.now = w.now.Add(device.Lifetime)
		w.poll(t, raw, device.ErrDenied)
	})
}

func TestAnApprovedCodeIsRedeemedByOneOfManyPolls(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		raw, code := w.entered(t)
		if err := w.Approve(t.Context(), "dev", code.ID, ada); err != nil {
			t.Fatal(err)
		}
		var won atomic.Int32
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				switch _, err := w.Redeem(t.Context(), "dev", "app", raw); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, device.ErrConsumed):
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("%d polls got it", won.Load())
		}
	})
}

// Approving and denying at once ends one way.
func TestOneDecisionCounts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, code := w.entered(t)
		var done atomic.Int32
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				var err error
				if i%2 == 0 {
					err = w.Approve(t.Context(), "dev", code.ID, ada)
				} else {
					err = w.Deny(t.Context(), "dev", code.ID, "ada")
				}
				if err == nil {
					done.Add(1)
				} else if !errors.Is(err, device.ErrState) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if done.Load() != 1 {
			t.Errorf("%d decisions counted", done.Load())
		}
	})
}

func TestADeviceThatPollsTooFastMustWaitLonger(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		raw, _ := w.request(t)
		w.poll(t, raw, device.ErrPending)
		w.now = w.now.Add(4 * time.Second) // a second early is the network's fault
		w.poll(t, raw, device.ErrPending)
		w.now = w.now.Add(3 * time.Second)
		w.poll(t, raw, device.ErrTooFast) // from now on ten seconds
		w.now = w.now.Add(5 * time.Second)
		w.poll(t, raw, device.ErrTooFast) // fifteen
		w.now = w.now.Add(10 * time.Second)
		w.poll(t, raw, device.ErrTooFast) // twenty
		for range 3 {
			w.now = w.now.Add(20 * time.Second)
			w.poll(t, raw, device.ErrPending)
		}
	})
}

func TestACodeExpires(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		raw, code := w.entered(t)
		approvedRaw, approved := w.entered(t)
		if err := w.Approve(ctx, "dev", approved.ID, ada); err != nil {
			t.Fatal(err)
		}
		_, created := w.request(t)
		w.now = w.now.Add(device.Lifetime)
		w.poll(t, raw, device.ErrExpired)
		w.poll(t, approvedRaw, device.ErrExpired)
		for name, err := range map[string]error{
			"enter": w.Enter(ctx, "dev", created.ID, "ada"), "approve": w.Approve(ctx, "dev", code.ID, ada), "deny": w.Deny(ctx, "dev", code.ID, "ada"),
		} {
			if !errors.Is(err, device.ErrState) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.Find(ctx, "dev", code.UserCode); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("found: %v", err)
		}
		if _, err := w.Get(ctx, "dev", code.ID); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("found by id: %v", err)
		}
		w.now = w.now.Add(24 * time.Hour)
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		w.poll(t, raw, device.ErrExpired) // exactly a day ago is kept
		w.now = w.now.Add(time.Microsecond)
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		w.poll(t, raw, device.ErrUnknown)
	})
}

func TestNothingCrossesTenantsOrClients(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		raw, code := w.entered(t)
		for name, err := range map[string]error{
			"find":    second(w.Find(ctx, "lab", code.UserCode)),
			"get":     second(w.Get(ctx, "lab", code.ID)),
			"redeem":  second(w.Redeem(ctx, "lab", "app", raw)),
			"client":  second(w.Redeem(ctx, "dev", "other", raw)),
			"no code": second(w.Redeem(ctx, "dev", "app", "")),
		} {
			if !errors.Is(err, device.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, err := range map[string]error{
			"enter": w.Enter(ctx, "lab", code.ID, "ada"), "approve": w.Approve(ctx, "lab", code.ID, ada), "deny": w.Deny(ctx, "lab", code.ID, "ada"),
		} {
			if !errors.Is(err, device.ErrState) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := w.Approve(ctx, "dev", code.ID, ada); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Redeem(ctx, "dev", "other", raw); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("another client: %v", err)
		}
		w.poll(t, raw, nil)
	})
}

func second[T any](_ T, err error) error { return err }

func TestUserCodesAreReadAsPeopleTypeThem(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, code := w.request(t)
		form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)
		if !form.MatchString(code.UserCode) {
			t.Fatalf("the user code is %s", code.UserCode)
		}
		plain := strings.ReplaceAll(code.UserCode, "-", "")
		for _, typed := range []string{code.UserCode, strings.ToLower(code.UserCode), plain, strings.ToLower(plain), " " + plain[:4] + " " + plain[4:] + " "} {
			if found, err := w.Find(t.Context(), "dev", typed); err != nil || found.ID != code.ID {
				t.Errorf("%q: %v", typed, err)
			}
		}
		for _, typed := range []string{"", "-", plain[:7], plain + "B", "AAAA-AAAA", plain[:7] + "\x00", plain[:7] + "É", strings.Repeat("-", 1<<20) + plain, "%", "' OR 1=1"} {
			if _, err := w.Find(t.Context(), "dev", typed); !errors.Is(err, device.ErrUnknown) {
				t.Errorf("%.20q: %v", typed, err)
			}
		}
	})
}

func TestNoDeviceCodeIsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		raw, code := w.request(t)
		dump := testdb.Dump(t, w.db)
		if strings.Contains(dump, raw) || !strings.Contains(dump, code.ID) {
			t.Error("the device code is stored, or this test sees nothing")
		}
	})
}
