package slapdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// validity is how long the certificates of a test are valid, and were.
const validity = 24 * time.Hour

// issue writes a new authority's certificate, and a server certificate of it for
// names with its key, to dir, and returns the authority.
func issue(t testing.TB, dir string, names []string) *x509.Certificate {
	t.Helper()
	caKey, serverKey := newKey(t), newKey(t)
	ca := certificate(1)
	ca.Subject.CommonName = "slapdtest authority"
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	ca = sign(t, ca, ca, caKey, caKey)
	server := certificate(2)
	server.Subject.CommonName = "slapdtest server"
	server.KeyUsage, server.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, name)
		}
	}
	server = sign(t, server, ca, serverKey, caKey)
	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	writePEM(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE", ca.Raw)
	writePEM(t, filepath.Join(dir, "server.pem"), "CERTIFICATE", server.Raw)
	writePEM(t, filepath.Join(dir, "server.key"), "PRIVATE KEY", key)
	return ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	return key
}

func certificate(serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{Organization: []string{"slapdtest"}},
		NotBefore: now.Add(-validity), NotAfter: now.Add(validity),
	}
}

func sign(t testing.TB, c, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
	return signed
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatalf("slapdtest: %v", err)
	}
}
