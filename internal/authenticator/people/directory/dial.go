package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/go-ldap/ldap/v3"
)

var errNotEncrypted = errors.New("the connection is not encrypted")

// openError is a failure to make a connection.
type openError struct {
	doing string
	err   error
}

func (e *openError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }

// dialer makes connections.
type dialer struct {
	server
	timeout              time.Duration
	bindDN, bindPassword string
	log                  *slog.Logger
}

// openService makes a connection that is bound as the service account.
func (d *dialer) openService(ctx context.Context) (*link, error) {
	l, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, l.sever)
	err = l.ldap.Bind(d.bindDN, d.bindPassword)
	if stop() && err == nil {
		return l, nil
	}
	if code, answered := resultCode(err); answered {
		d.log.ErrorContext(ctx, "directory refused the service account", "result_code", code)
	}
	l.close()
	return nil, opening(ctx, "bind the service account", err)
}

// open makes a connection, encrypted where the configuration asks for it, on
// which nothing has been said yet.
func (d *dialer) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, opening(ctx, "connect", err)
	}
	if d.tls == nil || d.startTLS {
		return d.begin(ctx, socket)
	}
	encrypted := tls.Client(socket, d.tls)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, opening(ctx, "encrypt", err)
	}
	l := &link{net: socket, ldap: ldap.NewConn(encrypted, true)}
	l.ldap.Start()
	return l, nil
}

// begin speaks LDAP over a plain socket, and upgrades it where asked.
func (d *dialer) begin(ctx context.Context, socket net.Conn) (*link, error) {
	l := &link{net: socket, ldap: ldap.NewConn(socket, false)}
	l.ldap.Start()
	if !d.startTLS {
		return l, nil
	}
	stop := context.AfterFunc(ctx, l.sever)
	err := l.ldap.StartTLS(d.tls)
	if err == nil {
		if state, ok := l.ldap.TLSConnectionState(); !ok || !state.HandshakeComplete {
			err = errNotEncrypted
		}
	}
	if stop() && err == nil {
		return l, nil
	}
	l.close()
	return nil, opening(ctx, "upgrade to TLS", err)
}

// opening returns the error of a failed step, with ctx's own if that ended it.
func opening(ctx context.Context, doing string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		if err == nil {
			err = ended
		} else {
			err = fmt.Errorf("%w: %w", ended, err)
		}
	}
	return &openError{doing: doing, err: err}
}
