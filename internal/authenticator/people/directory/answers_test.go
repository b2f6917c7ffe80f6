package directory_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/people/directory"
)

// hangUp, as a result code, closes the connection instead of answering.
const hangUp = -1

// answering is a server that answers every request with a result code of the
// test's choosing, and finds nobody.
type answering struct {
	connections atomic.Int64
	// code returns the result code for a request with an application tag, the
	// n-th on the c-th connection, both from 1.
	code func(tag ber.Tag, c, n int64) int
}

func (a *answering) start(t *testing.T) directory.Config {
	t.Helper()
	return directory.Config{
		URL: listen(t, a.serve), AllowPlaintext: true, UserDN: "uid=${username},dc=x",
		BindDN: "cn=service,dc=x", BindPassword: randomPassword(),
	}
}

func (a *answering) serve(socket net.Conn) {
	defer func() { _ = socket.Close() }()
	c := a.connections.Add(1)
	for n := int64(1); ; n++ {
		request, err := ber.ReadPacket(socket)
		if err != nil {
			return
		}
		code := a.code(request.Children[1].Tag, c, n)
		if code == hangUp {
			return
		}
		reply := ber.NewSequence("")
		reply.AppendChild(request.Children[0])
		result := ber.Encode(ber.ClassApplication, ber.TypeConstructed, request.Children[1].Tag+1, nil, "")
		if request.Children[1].Tag == ldap.ApplicationSearchRequest {
			result.Tag = ldap.ApplicationSearchResultDone
		}
		result.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
		for range 2 {
			result.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
		}
		reply.AppendChild(result)
		if _, err := socket.Write(reply.Bytes()); err != nil {
			return
		}
	}
}

func TestResultCodesBlameThePersonOrTheDirectory(t *testing.T) {
	for _, c := range []struct {
		code         int
		bind, search error // nil: away
	}{
		{ldap.LDAPResultInvalidCredentials, directory.ErrRefused, nil},
		{ldap.LDAPResultNoSuchObject, directory.ErrRefused, directory.ErrNotFound},
		{ldap.LDAPResultInvalidDNSyntax, directory.ErrRefused, directory.ErrNotFound},
		{ldap.LDAPResultReferral, directory.ErrRefused, directory.ErrNotFound},
		{ldap.LDAPResultSizeLimitExceeded, nil, directory.ErrNotFound},
		{ldap.LDAPResultConstraintViolation, directory.ErrRefused, nil},
		{ldap.LDAPResultInappropriateAuthentication, directory.ErrRefused, nil},
		{ldap.LDAPResultUnwillingToPerform, directory.ErrRefused, nil},
		{ldap.LDAPResultOperationsError, nil, nil},
		{ldap.LDAPResultTimeLimitExceeded, nil, nil},
		{ldap.LDAPResultStrongAuthRequired, nil, nil},
		{ldap.LDAPResultConfidentialityRequired, nil, nil},
		{ldap.LDAPResultInsufficientAccessRights, nil, nil},
		{ldap.LDAPResultBusy, nil, nil},
		{ldap.LDAPResultUnavailable, nil, nil},
		{ldap.LDAPResultOther, nil, nil},
	} {
		check := func(err, want error) {
			t.Helper()
			if (want == nil && !apierr.Is(err, apierr.Unavailable)) || (want != nil && !errors.Is(err, want)) {
				t.Errorf("got %v for the result code %d, want %v", err, c.code, want)
			}
		}
		always := &answering{code: func(ber.Tag, int64, int64) int { return c.code }}
		_, err := open(t, always.start(t)).Authenticate(t.Context(), "ann", randomPassword())
		check(err, c.bind)
		searches := &answering{code: func(tag ber.Tag, _, _ int64) int {
			if tag == ldap.ApplicationSearchRequest {
				return c.code
			}
			return ldap.LDAPResultSuccess
		}}
		d := open(t, searches.start(t))
		_, err = d.Profile(t.Context(), "ann")
		check(err, c.search)
		_, err = d.Authenticate(t.Context(), "ann", randomPassword())
		if c.search != nil {
			check(err, directory.ErrRefused)
		} else {
			check(err, nil)
		}
		// Whatever the service account's bind is answered with is not about people.
		_, err = open(t, always.start(t)).Profile(t.Context(), "ann")
		check(err, nil)
	}
}

func TestALostConnectionIsReplacedOnce(t *testing.T) {
	for _, lost := range []int{hangUp, ldap.LDAPResultUnavailable} {
		once := &answering{code: func(_ ber.Tag, c, n int64) int {
			if c == 1 && n == 2 {
				return lost
			}
			return ldap.LDAPResultInvalidCredentials
		}}
		d := open(t, once.start(t))
		for range 3 { // The first connection is for passwords, as they are checked first.
			refused(t, d, "ann", randomPassword())
		}

		always := &answering{code: func(ber.Tag, int64, int64) int { return lost }}
		_, err := open(t, always.start(t)).Authenticate(t.Context(), "ann", randomPassword())
		away(t, err)
		if got := always.connections.Load(); got != 2 {
			t.Errorf("made %d connections, want 2", got)
		}
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	authorities := x509.NewCertPool()
	authorities.AddCert(s.Certificate())
	_, err := open(t, directory.Config{
		URL: strings.Replace(s.URL, "https", "ldaps", 1), RootCAs: authorities,
		UserDN: "uid=${username},dc=x", BindDN: "cn=y,dc=x", BindPassword: randomPassword(),
	}).Authenticate(t.Context(), "ann", randomPassword())
	away(t, err)
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("got %v, want that the version is refused", err)
	}
}
