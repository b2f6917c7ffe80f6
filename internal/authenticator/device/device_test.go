package device_test

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/authtest"
	"gatehouse/internal/authenticator/device"
	"gatehouse/internal/testdb"
	"gatehouse/internal/testlog"
)

// fixture is the device codes of a client, app, of dev.
type fixture struct {
	*authtest.Fixture
	*device.Service
}

func each(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	authtest.Each(t, func(t *testing.T, f *authtest.Fixture) { test(t, &fixture{f, device.New(f.DB, f.Clock.Now)}) })
}

// request makes a device code and finds it as a person would.
func (f *fixture) request() (string, device.Code) {
	f.T.Helper()
	issued, err := f.Request(f.T.Context(), "dev", device.Asked{ClientID: "app", Scope: "openid", Address: "192.0.2.1"})
	if err != nil {
		f.T.Fatal(err)
	}
	testlog.Secret(f.T, issued.DeviceCode)
	code, err := f.Find(f.T.Context(), "dev", issued.UserCode)
	if err != nil {
		f.T.Fatal(err)
	}
	return issued.DeviceCode, code
}

// entered makes a device code that ada entered.
func (f *fixture) entered() (string, device.Code) {
	f.T.Helper()
	raw, code := f.request()
	f.Must(f.Enter(f.T.Context(), "dev", code.ID, "ada"))
	return raw, code
}

// approved makes a device code that ada entered and approved.
func (f *fixture) approved() (string, device.Code) {
	f.T.Helper()
	raw, code := f.entered()
	f.Must(f.Approve(f.T.Context(), "dev", code.ID, ada))
	return raw, code
}

// poll redeems and fails unless it ends with want.
func (f *fixture) poll(raw string, want error) device.Approval {
	f.T.Helper()
	got, err := f.Redeem(f.T.Context(), "dev", "app", raw)
	if !errors.Is(err, want) {
		f.T.Fatalf("got %v, want %v", err, want)
	}
	return got
}

// wantNoStep fails if somebody can take a step with a code, but for those that
// are named.
func (f *fixture) wantNoStep(when, tenantID, id, username string, but ...string) {
	f.T.Helper()
	for name, step := range map[string]func() error{
		"enter":   func() error { return f.Enter(f.T.Context(), tenantID, id, username) },
		"approve": func() error { return f.Approve(f.T.Context(), tenantID, id, device.Approver{Username: username}) },
		"deny":    func() error { return f.Deny(f.T.Context(), tenantID, id, username) },
	} {
		if slices.Contains(but, name) {
			continue
		}
		if err := step(); !errors.Is(err, device.ErrState) {
			f.T.Errorf("%s %s: %v", name, when, err)
		}
	}
}

var ada = device.Approver{Username: "ada"}

func TestACodeIsApprovedByWhomEnteredItAndRedeemedOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		raw, code := f.request()
		if code.ClientID != "app" || code.Scope != "openid" || code.Address != "192.0.2.1" || code.Status != device.Created ||
			!code.CreateTime.Equal(f.Clock.Now()) || !code.ExpiryTime.Equal(f.Clock.Now().Add(device.Lifetime)) || code.Username != "" {
			t.Errorf("%+v", code)
		}
		f.poll(raw, device.ErrPending)
		// A-B02: neither approving nor denying works before it is entered, and
		// entering it gives nothing yet.
		f.wantNoStep("before it was entered", "dev", code.ID, "ada", "enter")
		for range 2 { // the page may be loaded again
			f.Must(f.Enter(ctx, "dev", code.ID, "ada"))
		}
		f.Clock.Advance(device.Interval)
		f.poll(raw, device.ErrPending)
		// It is ada's now.
		f.wantNoStep("by somebody else", "dev", code.ID, "bob")
		by := device.Approver{
			Username: "ada", AuthTime: f.Clock.Now().Add(-time.Minute), AMR: []string{"pwd", "otp"}, IDPID: "campus", TTL: time.Hour,
		}
		f.Must(f.Approve(ctx, "dev", code.ID, by))
		if found, err := f.Get(ctx, "dev", code.ID); err != nil || found.Status != device.Approved || found.Username != "ada" {
			t.Errorf("%+v, %v", found, err)
		}
		f.wantNoStep("after the approval", "dev", code.ID, "ada")
		if got := f.poll(raw, nil); !reflect.DeepEqual(got, device.Approval{Approver: by, Scope: "openid"}) {
			t.Errorf("%+v", got)
		}
		f.poll(raw, device.ErrConsumed)
	})
}

func TestADeniedCodeStaysDenied(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		raw, code := f.entered()
		f.Must(f.Deny(t.Context(), "dev", code.ID, "ada"))
		if err := f.Approve(t.Context(), "dev", code.ID, ada); !errors.Is(err, device.ErrState) {
			t.Errorf("approved: %v", err)
		}
		f.poll(raw, device.ErrDenied)
		f.Clock.Advance(device.Lifetime)
		f.poll(raw, device.ErrDenied)
	})
}

func TestAnApprovedCodeIsRedeemedByOneOfManyPolls(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		raw, _ := f.approved()
		f.WantOnce(device.ErrConsumed, func(int) error { return second(f.Redeem(t.Context(), "dev", "app", raw)) })
	})
}

// Approving and denying at once ends one way.
func TestOneDecisionCounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, code := f.entered()
		f.WantOnce(device.ErrState, func(i int) error {
			if i%2 == 0 {
				return f.Approve(t.Context(), "dev", code.ID, ada)
			}
			return f.Deny(t.Context(), "dev", code.ID, "ada")
		})
	})
}

func TestADeviceThatPollsTooFastMustWaitLonger(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		raw, _ := f.request()
		f.poll(raw, device.ErrPending)
		f.Clock.Advance(4 * time.Second) // a second early is the network's fault
		f.poll(raw, device.ErrPending)
		f.Clock.Advance(3 * time.Second)
		f.poll(raw, device.ErrTooFast) // from now on ten seconds
		f.Clock.Advance(5 * time.Second)
		f.poll(raw, device.ErrTooFast) // fifteen
		f.Clock.Advance(10 * time.Second)
		f.poll(raw, device.ErrTooFast) // twenty
		for range 3 {
			f.Clock.Advance(20 * time.Second)
			f.poll(raw, device.ErrPending)
		}
	})
}

func TestACodeExpires(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		raw, code := f.entered()
		approvedRaw, _ := f.approved()
		_, created := f.request()
		f.Clock.Advance(device.Lifetime)
		f.poll(raw, device.ErrExpired)
		f.poll(approvedRaw, device.ErrExpired)
		f.wantNoStep("when nobody entered it in time", "dev", created.ID, "ada")
		f.wantNoStep("when it was entered in time", "dev", code.ID, "ada")
		if _, err := f.Find(ctx, "dev", code.UserCode); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("found: %v", err)
		}
		if _, err := f.Get(ctx, "dev", code.ID); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("found by id: %v", err)
		}
		f.Clock.Advance(5 * time.Minute)
		f.Must(f.Sweep(ctx))
		f.poll(raw, device.ErrExpired) // exactly so long ago is kept
		f.Clock.Advance(time.Microsecond)
		f.Must(f.Sweep(ctx))
		f.poll(raw, device.ErrUnknown)
	})
}

func TestCodesThatNobodyTypedAreBoundedPerTenant(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.SetMaxWaiting(20)
		ask := func(tenantID string) device.Issued {
			issued, err := f.Request(ctx, tenantID, device.Asked{ClientID: "app", Address: "192.0.2.1"})
			if err != nil {
				t.Fatal(err)
			}
			f.Clock.Advance(time.Microsecond)
			return issued
		}
		_, typed := f.entered()
		elsewhere := ask("lab")
		var issued []device.Issued
		for range 300 {
			issued = append(issued, ask("dev"))
		}
		if _, err := f.Get(ctx, "dev", typed.ID); err != nil {
			t.Errorf("a code that somebody typed: %v", err)
		}
		if _, err := f.Find(ctx, "lab", elsewhere.UserCode); err != nil {
			t.Errorf("a code of another tenant: %v", err)
		}
		found := 0
		for _, i := range issued {
			if _, err := f.Find(ctx, "dev", i.UserCode); err == nil {
				found++
			}
		}
		if _, err := f.Find(ctx, "dev", issued[299].UserCode); err != nil || found < 20 || found > 120 {
			t.Errorf("%d codes are kept, the newest: %v", found, err)
		}
	})
}

func TestNothingCrossesTenantsOrClients(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		raw, code := f.entered()
		for name, err := range map[string]error{
			"find":    second(f.Find(ctx, "lab", code.UserCode)),
			"get":     second(f.Get(ctx, "lab", code.ID)),
			"redeem":  second(f.Redeem(ctx, "lab", "app", raw)),
			"client":  second(f.Redeem(ctx, "dev", "other", raw)),
			"no code": second(f.Redeem(ctx, "dev", "app", "")),
		} {
			if !errors.Is(err, device.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		f.wantNoStep("in another tenant", "lab", code.ID, "ada")
		f.Must(f.Approve(ctx, "dev", code.ID, ada))
		if _, err := f.Redeem(ctx, "dev", "other", raw); !errors.Is(err, device.ErrUnknown) {
			t.Errorf("another client: %v", err)
		}
		f.poll(raw, nil)
	})
}

func second[T any](_ T, err error) error { return err }

func TestUserCodesAreReadAsPeopleTypeThem(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, code := f.request()
		form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)
		if !form.MatchString(code.UserCode) {
			t.Fatalf("the user code is %s", code.UserCode)
		}
		plain := strings.ReplaceAll(code.UserCode, "-", "")
		for _, typed := range []string{
			code.UserCode, strings.ToLower(code.UserCode), plain, strings.ToLower(plain), " " + plain[:4] + " " + plain[4:] + " ",
		} {
			if found, err := f.Find(t.Context(), "dev", typed); err != nil || found.ID != code.ID {
				t.Errorf("%q: %v", typed, err)
			}
		}
		for _, typed := range []string{
			"", "-", plain[:7], plain + "B", "AAAA-AAAA", plain[:7] + "\x00", plain[:7] + "É", strings.Repeat("-", 1<<20) + plain,
			"%", "' OR 1=1",
		} {
			if _, err := f.Find(t.Context(), "dev", typed); !errors.Is(err, device.ErrUnknown) {
				t.Errorf("%.20q: %v", typed, err)
			}
		}
	})
}

func TestNoDeviceCodeIsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		raw, code := f.request()
		dump := testdb.Dump(t, f.DB)
		if strings.Contains(dump, raw) || !strings.Contains(dump, code.ID) {
			t.Error("the device code is stored, or this test sees nothing")
		}
	})
}
