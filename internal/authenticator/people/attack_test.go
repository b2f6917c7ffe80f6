package people_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/fair"
	"gatehouse/internal/registryclient"
	"gatehouse/internal/throttle"
)

// slowDirectory answers each of the two questions of a sign-in after a while,
// to as many as it has connections. The right password is "right".
type slowDirectory struct {
	people.Directory

	connections *fair.Slots
	took        time.Duration
}

func (d *slowDirectory) Authenticate(ctx context.Context, username, password string) (people.Profile, error) {
	for range 2 {
		release, err := d.connections.Take(ctx)
		if err != nil {
			return people.Profile{}, apierr.Away(err, "The directory")
		}
		time.Sleep(d.took)
		release()
	}
	if password != "right" {
		return people.Profile{}, people.ErrRefused
	}
	return people.Profile{Username: username}, nil
}

// TestStrangersDoNotCloseATenant has 1,000 networks try one password a second
// each, and ten people sign in from new addresses meanwhile. All time is of the
// test.
func TestStrangersDoNotCloseATenant(t *testing.T) {
	person := func(i int) string { return fmt.Sprint("person", i%10) }
	for name, victim := range map[string]func(network, second int) string{
		"with names that nobody has":       func(n, s int) string { return fmt.Sprint("nobody", n, "-", s) },
		"with names out of a short list":   func(n, s int) string { return fmt.Sprint("person", (n+7*s)%300) },
		"with the names of the ten people": func(n, s int) string { return person(n + s) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &slowDirectory{connections: fair.New(24), took: 5 * time.Millisecond}
				s := people.New(people.Deps{
					Directories: func(context.Context, registryclient.Tenant) (people.Directory, bool, error) { return d, true, nil },
					Guard:       throttle.NewGuard(time.Now),
				})
				dev := registryclient.Tenant{ID: "dev"}
				const warmUp, seconds = 40, 55
				for network := range 1000 {
					from := fmt.Sprintf("198.51.%d.%d", network/250, network%250)
					if network%2 == 1 {
						from = fmt.Sprintf("2001:db8:%x:1::1", network)
					}
					go func() {
						time.Sleep(time.Duration(network) * time.Millisecond)
						for second := range seconds {
							go func() { _, _ = s.Authenticate(t.Context(), dev, victim(network, second), "wrong", from) }()
							time.Sleep(time.Second)
						}
					}()
				}
				time.Sleep(warmUp * time.Second)
				in := make(chan bool, 10)
				for i := range 10 {
					go func() {
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						time.Sleep(time.Duration(i) * 100 * time.Millisecond)
						for ctx.Err() == nil {
							_, err := s.Authenticate(ctx, dev, person(i), "right", fmt.Sprintf("192.0.2.%d", i))
							var refused *apierr.Error
							if err == nil || !errors.As(err, &refused) {
								in <- err == nil
								return
							}
							time.Sleep(refused.RetryAfter)
						}
						in <- false
					}()
				}
				got := 0
				for range 10 {
					if <-in {
						got++
					}
				}
				if got < 9 {
					t.Errorf("%d of ten people are in within 10 s", got)
				}
				time.Sleep((seconds + 5) * time.Second)
			})
		})
	}
}

func TestSlowAttemptsFromOneAddressLeaveTheDirectoryToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDirectory{connections: fair.New(24), took: time.Minute}
		s := people.New(people.Deps{
			Directories: func(context.Context, registryclient.Tenant) (people.Directory, bool, error) { return d, true, nil },
			Guard:       throttle.NewGuard(time.Now),
		})
		dev := registryclient.Tenant{ID: "dev"}
		for i := range 48 {
			go func() { _, _ = s.Authenticate(t.Context(), dev, fmt.Sprint("nobody", i), "wrong", "198.51.100.1") }()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := s.Authenticate(t.Context(), dev, "ada", "right", "192.0.2.1"); err != nil || time.Since(began) > 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.Sleep(time.Hour)
	})
}
