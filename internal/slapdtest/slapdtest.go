package slapdtest

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	// ready bounds how long slapd may take to start or to stop.
	ready = 15 * time.Second
	// attempts is how often Start tries, should another process take a port.
	attempts = 5
)

// Person is an entry of the class inetOrgPerson. Username and Password are
// required.
type Person struct {
	Username, Password         string
	Unit                       string // the organizational unit; empty: People
	Naming                     string // the attribute that names the entry, uid or cn; empty: uid
	GivenName, LastName, Email string
	Phone, MobilePhone         string
	UIDNumber, EmployeeType    string
	MoreNames                  []string // further values of the naming attribute
}

// Options say what the server serves.
type Options struct {
	BaseDN string   // begins with dc; empty: dc=example,dc=org
	People []Person // below their units, which are made as needed
	Hosts  []string // whom the certificate names; nil: localhost and 127.0.0.1
	LDIF   string   // further entries
	Limits string   // how many entries a search may return; empty: slapd's default, 500
}

// Server is a running slapd.
type Server struct {
	// BaseDN is the suffix of the tree.
	BaseDN string
	// BindDN and BindPassword are a service account that may read everything
	// but passwords; people may read themselves, and others nothing.
	BindDN, BindPassword string
	// Certificate is the server's, and its own authority.
	Certificate  *x509.Certificate
	t            testing.TB
	program, dir string
	plain, tls   string // host:port
	process      *os.Process
	done         chan struct{} // closed when the process has ended
}

// Start runs a server that goes away with the test. Where slapd is not
// installed the test is skipped, which under CI=true is a failure.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	installed := find(t)
	s := &Server{
		t: t, BaseDN: cmp.Or(o.BaseDN, "dc=example,dc=org"), BindPassword: rand.Text(),
		dir: t.TempDir(),
	}
	s.BindDN = "cn=gatehouse," + s.BaseDN
	s.program = filepath.Join(s.dir, "slapd")
	program, err := os.ReadFile(installed) //nolint:gosec // slapd
	if err == nil {
		err = os.WriteFile(s.program, program, 0o700) //nolint:gosec // it must be executable
	}
	if err != nil {
		t.Fatalf("slapdtest: copy slapd: %v", err)
	}
	hosts := o.Hosts
	if hosts == nil {
		hosts = []string{"localhost", "127.0.0.1"}
	}
	var certPEM, keyPEM string
	if s.Certificate, certPEM, keyPEM, err = certify(hosts); err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	s.write("server.pem", certPEM)
	s.write("server.key", keyPEM)
	s.configure(o)
	s.load(o)
	t.Cleanup(s.kill)
	for range attempts {
		s.plain, s.tls = freeAddr(t), freeAddr(t)
		if err = s.run(); err == nil {
			return s
		}
	}
	t.Fatalf("slapdtest: %v", err)
	return nil
}

// find returns where slapd is installed.
func find(t testing.TB) string {
	t.Helper()
	for _, path := range []string{"/usr/sbin/slapd", "/usr/lib/openldap/slapd", "/usr/libexec/slapd"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if path, err := exec.LookPath("slapd"); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("slapd is not installed: apt-get install slapd")
	}
	t.Skip("slapd is not installed: apt-get install slapd")
	return ""
}

// PeopleDN returns the DN of the unit that people are in by default.
func (s *Server) PeopleDN() string { return "ou=People," + s.BaseDN }

// URL returns the ldap:// URL. Its connections can be upgraded with StartTLS.
func (s *Server) URL() string { return "ldap://" + s.plain }

// TLSURL returns the ldaps:// URL.
func (s *Server) TLSURL() string { return "ldaps://" + s.tls }

// CACert returns a pool that the server's certificate is good for.
func (s *Server) CACert() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate)
	return pool
}

// Stop ends the server as an administrator would, and waits until it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(ready):
		s.t.Fatal("slapdtest: slapd does not stop")
	}
}

// Restart starts a stopped server on the same ports with the same entries.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.run(); err != nil {
		s.t.Fatalf("slapdtest: %v", err)
	}
}

// Suspend freezes the server: connections stay and can be made, and nothing is
// answered.
func (s *Server) Suspend() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus // until the signal has reached every thread
	if _, err := syscall.Wait4(s.process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		s.t.Fatalf("slapdtest: slapd does not freeze: %v", err)
	}
}

// Resume lets a suspended server go on.
func (s *Server) Resume() { s.t.Helper(); s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatalf("slapdtest: %v", err)
	}
}

// kill ends the server whatever state it is in.
func (s *Server) kill() {
	if s.process != nil {
		_ = s.process.Kill()
		<-s.done
	}
}

// freeAddr returns a loopback address that nobody listens on at the moment.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// configure writes slapd.conf.
func (s *Server) configure(o Options) {
	s.t.Helper()
	var b strings.Builder
	for _, schema := range []string{"core", "cosine", "nis", "inetorgperson"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", schema)
	}
	// As careless as a server can be: it lets anyone bind without a password, so
	// that only the client's own care keeps the tests green.
	b.WriteString("allow bind_anon_cred bind_anon_dn\n")
	b.WriteString("modulepath /usr/lib/ldap\nmoduleload back_mdb\n")
	fmt.Fprintf(&b, "pidfile %[1]s/slapd.pid\nargsfile %[1]s/slapd.args\n", s.dir)
	fmt.Fprintf(&b, "TLSCertificateFile %[1]s/server.pem\nTLSCertificateKeyFile %[1]s/server.key\n", s.dir)
	fmt.Fprintf(&b, "threads 4\ndatabase mdb\nmaxsize 67108864\ndbnosync\nsuffix %q\ndirectory %s/db\n", s.BaseDN, s.dir)
	if o.Limits != "" {
		fmt.Fprintf(&b, "sizelimit %s\n", o.Limits)
	}
	b.WriteString("index objectClass,uid,cn eq\n")
	b.WriteString("access to attrs=userPassword by anonymous auth by * none\n")
	fmt.Fprintf(&b, "access to * by dn.exact=%q read by self read by * none\n", s.BindDN)
	s.write("slapd.conf", b.String())
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		s.t.Fatalf("slapdtest: %v", err)
	}
}

func (s *Server) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatalf("slapdtest: %v", err)
	}
}

// load fills the database before the server runs.
func (s *Server) load(o Options) {
	s.t.Helper()
	var b strings.Builder
	dc, _, _ := strings.Cut(strings.TrimPrefix(s.BaseDN, "dc="), ",")
	entry(&b, s.BaseDN, "objectClass", "extensibleObject", "objectClass", "domain", "dc", dc)
	entry(&b, s.BindDN, "objectClass", "applicationProcess", "objectClass", "simpleSecurityObject",
		"cn", "gatehouse", "userPassword", s.BindPassword)
	units := map[string]bool{}
	unit := func(name string) string {
		dn := "ou=" + name + "," + s.BaseDN
		if !units[name] {
			units[name] = true
			entry(&b, dn, "objectClass", "organizationalUnit", "ou", name)
		}
		return dn
	}
	unit("People")
	for _, p := range o.People {
		p.write(&b, unit(cmp.Or(p.Unit, "People")))
	}
	b.WriteString(o.LDIF)
	s.write("people.ldif", b.String())
	// The program is slapadd when -T says so.
	//nolint:gosec // the copy of slapd and the files that Start made
	add := exec.CommandContext(s.t.Context(), s.program, "-Tadd", "-q",
		"-f", filepath.Join(s.dir, "slapd.conf"), "-l", filepath.Join(s.dir, "people.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		s.t.Fatalf("slapdtest: load the entries: %v\n%s", err, out)
	}
}

// write appends the person's entry, in LDIF.
func (p Person) write(b *strings.Builder, parent string) {
	naming := cmp.Or(p.Naming, "uid")
	pairs := []string{"objectClass", "inetOrgPerson"} // LDIF wants the values of an attribute together.
	if p.UIDNumber != "" {
		pairs = append(pairs, "objectClass", "posixAccount", "uidNumber", p.UIDNumber, "gidNumber", p.UIDNumber, "homeDirectory", "/")
	}
	pairs = append(pairs, naming, p.Username)
	for _, name := range p.MoreNames {
		pairs = append(pairs, naming, name)
	}
	if naming != "uid" {
		pairs = append(pairs, "uid", p.Username)
	}
	if naming != "cn" {
		pairs = append(pairs, "cn", p.Username)
	}
	pairs = append(pairs, "sn", cmp.Or(p.LastName, p.Username), "userPassword", p.Password)
	for _, pair := range [][2]string{
		{"givenName", p.GivenName},
		{"mail", p.Email},
		{"telephoneNumber", p.Phone},
		{"mobile", p.MobilePhone},
		{"employeeType", p.EmployeeType},
	} {
		if pair[1] != "" {
			pairs = append(pairs, pair[0], pair[1])
		}
	}
	entry(b, naming+"="+ldap.EscapeDN(p.Username)+","+parent, pairs...)
}

// entry appends an entry in LDIF (RFC 2849), with every value in base64.
func entry(b *strings.Builder, dn string, pairs ...string) {
	fmt.Fprintf(b, "dn:: %s\n", base64.StdEncoding.EncodeToString([]byte(dn)))
	for i, value := range pairs {
		if i%2 == 0 {
			fmt.Fprintf(b, "%s:: ", value) // The attribute.
		} else {
			fmt.Fprintln(b, base64.StdEncoding.EncodeToString([]byte(value)))
		}
	}
	b.WriteString("\n")
}
