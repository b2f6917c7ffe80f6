package tenants

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
)

var canonicalShape = regexp.MustCompile(`^-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/]+={0,2}\n-----END PUBLIC KEY-----$`)

func armor(t testing.TB, label string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func spki(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	return armor(t, "PUBLIC KEY", der, err)
}

func rsaKey(t testing.TB, wrapped string) *rsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(wrapped))
	if block == nil {
		t.Fatal("no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func TestEveryFormOfAKeyBecomesTheSameLine(t *testing.T) {
	wrapped := wrappedKeys()[0]
	key := rsaKey(t, wrapped)
	want := canonicalKey(t)
	if !canonicalShape.MatchString(want) {
		t.Fatalf("%q has not the canonical shape", want)
	}
	if !rsaKey(t, want).Equal(key) {
		t.Fatal("the canonical form is another key")
	}
	pkcs1 := armor(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key), nil)
	for name, text := range map[string]string{
		"canonical":            want,
		"wrapped":              wrapped,
		"CRLF":                 strings.ReplaceAll(wrapped, "\n", "\r\n"),
		"CR":                   strings.ReplaceAll(wrapped, "\n", "\r"),
		"literal \\n":          strings.ReplaceAll(wrapped, "\n", `\n`),
		"literal \\r\\n":       strings.ReplaceAll(wrapped, "\n", `\r\n`),
		"blanks for breaks":    strings.ReplaceAll(wrapped, "\n", " "),
		"no breaks":            strings.ReplaceAll(wrapped, "\n", ""),
		"surrounded by blanks": "\n\t " + wrapped + " \r\n",
		"PKCS#1":               pkcs1,
		"PKCS#1 with \\n":      strings.ReplaceAll(pkcs1, "\n", `\n`),
	} {
		got, err := NormalizePublicKey(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
}

func TestUnsuitableKeysAreRefused(t *testing.T) {
	wrapped := wrappedKeys()[0]
	good := rsaKey(t, wrapped)
	short, err := rsa.GenerateKey(rand.Reader, 2040)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	withExponent := func(e int) string { return spki(t, &rsa.PublicKey{N: good.N, E: e}) }
	huge := new(big.Int).Lsh(big.NewInt(1), 8192)
	huge.SetBit(huge, 0, 1)
	for name, tt := range map[string]struct{ text, says string }{
		"nothing":   {"", "PEM"},
		"text":      {"not a key", "PEM"},
		"2040 bits": {spki(t, &short.PublicKey), "this one has 2040"},
		"2047 bits": {spki(t,
			&rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1)), E: 65537}), "this one has 2047"},
		"8193 bits":        {spki(t, &rsa.PublicKey{N: huge, E: 65537}), "at most 8192"},
		"exponent 3":       {withExponent(3), "exponent"},
		"exponent 17":      {withExponent(17), "exponent"},
		"exponent 65535":   {withExponent(65535), "exponent"},
		"even exponent":    {withExponent(65538), "exponent"},
		"even modulus":     {spki(t, &rsa.PublicKey{N: new(big.Int).Sub(good.N, big.NewInt(1)), E: 65537}), "modulus"},
		"elliptic curve":   {spki(t, &curve.PublicKey), "RSA"},
		"Ed25519":          {spki(t, edwards), "RSA"},
		"two keys":         {wrapped + wrapped, "PEM"},
		"text before":      {"key:\n" + wrapped, "PEM"},
		"text after":       {wrapped + "thanks", "PEM"},
		"wrong footer":     {strings.Replace(wrapped, "END PUBLIC", "END RSA PUBLIC", 1), "PEM"},
		"broken base64":    {strings.Replace(wrapped, "M", "*", 1), "PEM"},
		"empty body":       {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "PEM"},
		"trailing bytes":   {armor(t, "PUBLIC KEY", append(derOf(t, wrapped), 0), nil), "readable"},
		"wrong label":      {armor(t, "CERTIFICATE", derOf(t, wrapped), nil), "block"},
		"PKCS#1 as SPKI":   {armor(t, "PUBLIC KEY", x509.MarshalPKCS1PublicKey(good), nil), "readable"},
		"SPKI as PKCS#1":   {armor(t, "RSA PUBLIC KEY", derOf(t, wrapped), nil), "readable"},
		"private, PKCS#1":  {armor(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(short), nil), "private key"},
		"private, PKCS#8":  {armor(t, "PRIVATE KEY", pkcs8(t, short), nil), "private key"},
		"far too long":     {strings.Repeat("A", 10001), "10000"},
		"an SSH key":       {"ssh-rsa AAAA user@host", "PEM"},
		"a header of RFC1": {strings.Replace(wrapped, "\n", "\nProc-Type: 4\n", 1), "PEM"},
	} {
		got, err := NormalizePublicKey(tt.text)
		if !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), tt.says) || got != "" {
			t.Errorf("%s: got %q, %v; want an Invalid error that says %q", name, got, err, tt.says)
			continue
		}
		for line := range strings.Lines(tt.text) {
			if line = strings.TrimSpace(line); len(line) > 40 && strings.Contains(err.Error(), line) {
				t.Errorf("%s: the error repeats the input", name)
			}
		}
	}
}

func derOf(t testing.TB, wrapped string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(wrapped))
	return block.Bytes
}

func pkcs8(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func FuzzNormalizePublicKey(f *testing.F) {
	wrapped := wrappedKeys()[0]
	f.Add(wrapped)
	f.Add(strings.ReplaceAll(wrapped, "\n", `\n`))
	f.Add(strings.ReplaceAll(wrapped, "\n", "\r\n"))
	f.Add("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----")
	f.Add("-----BEGIN -----")
	f.Fuzz(func(t *testing.T, text string) {
		canonical, err := NormalizePublicKey(text)
		if err != nil {
			if !apierr.Is(err, apierr.Invalid) || canonical != "" {
				t.Fatalf("got %q, %v; want an Invalid error alone", canonical, err)
			}
			return
		}
		if !canonicalShape.MatchString(canonical) {
			t.Fatalf("%q is not canonical", canonical)
		}
		if again, err := NormalizePublicKey(canonical); err != nil || again != canonical {
			t.Fatalf("a second time: got %q, %v", again, err)
		}
		if key := rsaKey(t, canonical); key.N.BitLen() < 2048 || key.E < 65537 {
			t.Fatalf("a weak key came through: %d bits, exponent %d", key.N.BitLen(), key.E)
		}
	})
}

// standardKey is the key of RFC 7638 section 3.1.
func standardKey(t testing.TB) *rsa.PublicKey {
	t.Helper()
	modulus, err := base64.RawURLEncoding.DecodeString("" +
		"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB" +
		"ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8" +
		"KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_" +
		"xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}
}

func TestKeysThatEverybodyKnowsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"RFC 7638":     spki(t, standardKey(t)),
		"of libraries": sampleKey,
	} {
		if _, err := NormalizePublicKey(text); !apierr.Is(err, apierr.Invalid) || !strings.Contains(err.Error(), "everybody knows") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// sampleKey comes with many libraries for JSON Web Tokens.
const sampleKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4f5wg5l2hKsTeNem/V41
fGnJm6gOdrj8ym3rFkEU/wT8RDtnSgFEZOQpHEgQ7JL38xUfU0Y3g6aYw9QT0hJ7
mCpz9Er5qLaMXJwZxzHzAahlfA0icqabvJOMvQtzD6uQv6wPEyZtDTWiQi9AXwBp
HssPnpYGIn20ZZuNlX2BrClciHhCPUIIZOQn/MmqTD31jSyjoQoV7MhhMTATKJx2
XrHhR+1DcKJzQBSTAGnpYVaqpsARap+nwRipr3nUTuxyGohBTSmjJ2usSeQXHI3b
ODIRe1AuTyHceAbewn8b462yEWKARdpd9AjQW5SIVPfdsz5B6GlYQ5LdYKtznTuy
7wIDAQAB
-----END PUBLIC KEY-----`
