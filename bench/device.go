package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// devicesPerAddress is how many codes one address gets at once, so that each
	// group comes from another one of this machine's.
	devicesPerAddress = 100
	// pollsPerSecond is about what two cores can answer. A device that polls
	// twice within five seconds is told to slow down, so each code is polled
	// once; a phase ends sooner where they run out.
	pollsPerSecond = 3000
	// approvalsPerSecond is less than can be redeemed: each takes five requests
	// to be made.
	approvalsPerSecond = 400
)

// device is one that waits for somebody's approval.
type device struct {
	person               int // whose client it uses
	deviceCode, userCode string
}

// newDevices asks for device codes until there are n.
func (o *office) newDevices(ctx context.Context, n int) (*stock[device], error) {
	groups := n/devicesPerAddress + 1
	s := &stock[device]{items: make([]device, groups*devicesPerAddress)}
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(16)
	for g := range groups {
		o.address = o.address.Next()
		from := net.IP(o.address.AsSlice())
		asking.Go(func() error {
			c, err := dialFrom(ctx, from, o.server.addr)
			if err != nil {
				return err
			}
			defer c.hangUp()
			for i := range devicesPerAddress {
				d, err := o.newDevice(c, i%people)
				if err != nil {
					return err
				}
				s.items[g*devicesPerAddress+i] = d
			}
			return nil
		})
	}
	if err := asking.Wait(); err != nil {
		return nil, fmt.Errorf("ask for device codes: %w", err)
	}
	return s, nil
}

func (o *office) newDevice(c *conn, person int) (device, error) {
	client := o.clients[person]
	r, _, err := c.exchange(post("/v3/oauth2/device/code", o.server.host, client.header(), object("client_id", client.id)))
	if err != nil {
		return device{}, err
	}
	var got struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil || r.status != http.StatusOK || got.DeviceCode == "" || got.UserCode == "" {
		return device{}, errors.Join(fmt.Errorf("the server answered %d: %.200s", r.status, r.body), err)
	}
	return device{person: person, deviceCode: got.DeviceCode, userCode: got.UserCode}, nil
}

// approve lets the people approve all devices, each those with the own client.
func (o *office) approve(ctx context.Context, devices []device) error {
	if err := o.signIn(ctx); err != nil {
		return err
	}
	approving, ctx := errgroup.WithContext(ctx)
	for person, b := range o.browsers {
		approving.Go(func() error {
			for _, d := range devices {
				if d.person != person {
					continue
				}
				if err := d.approve(ctx, b); err != nil {
					return fmt.Errorf("approve a device: %w", err)
				}
			}
			return nil
		})
	}
	return approving.Wait()
}

func (d device) approve(ctx context.Context, b *browser) error {
	typing, err := b.open(ctx, pagesPath+"device?"+url.Values{"user_code": {d.userCode}}.Encode())
	if err != nil {
		return err
	}
	confirm, err := b.submit(ctx, typing, "user_code", d.userCode)
	if err != nil {
		return err
	}
	done, err := b.submit(ctx, confirm, "decision", "allow", "ttl", "1")
	if err == nil && done.status != http.StatusOK {
		err = fmt.Errorf("the server answered %d", done.status)
	}
	return err
}

// pollers connects devices that nobody has approved.
func pollers(ctx context.Context, o *office, p plan, n int) ([]asker, error) {
	devices, err := o.newDevices(ctx, p.stock(p.brief, pollsPerSecond))
	if err != nil {
		return nil, err
	}
	return connect(ctx, o.server, n, func(c *conn, _ int) (asker, error) { return &poller{c, o, devices, false}, nil })
}

// approvedPollers connects devices that have been approved.
func approvedPollers(ctx context.Context, o *office, p plan, n int) ([]asker, error) {
	devices, err := o.newDevices(ctx, p.stock(p.brief, approvalsPerSecond))
	if err == nil {
		err = o.approve(ctx, devices.items)
	}
	if err != nil {
		return nil, err
	}
	return connect(ctx, o.server, n, func(c *conn, _ int) (asker, error) { return &poller{c, o, devices, true}, nil })
}

// poller polls once for one device after another.
type poller struct {
	*conn

	office   *office
	devices  *stock[device]
	approved bool
}

// ask implements asker.
func (a *poller) ask() (time.Duration, error) {
	d, err := a.devices.take()
	if err != nil {
		return 0, err
	}
	request, want := a.office.redeem(d.person, deviceGrant, "device_code", d.deviceCode)
	want.grantType = "device_code" // as claims have it
	r, took, err := a.exchange(request)
	if err != nil {
		return 0, err
	}
	if a.approved {
		_, _, err = a.office.book.check(r, want)
		return took, err
	}
	var got struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(r.body, &got); err != nil || r.status != http.StatusBadRequest || got.Error != "authorization_pending" {
		return 0, errors.Join(fmt.Errorf("the server answered %d: %.200s", r.status, r.body), err)
	}
	return took, nil
}
