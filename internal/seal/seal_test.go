package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/seal"
)

func box(t *testing.T, key []byte) *seal.Box {
	t.Helper()
	b, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestASealedValueOpensOnlyWhereItBelongs(t *testing.T) {
	b := box(t, seal.NewKey())
	sealed := b.Seal([]byte("plain text"), "clients", "dev/app", "key")
	if strings.Contains(sealed, "plain") {
		t.Fatal("the sealed value shows its content")
	}
	plain, err := b.Open(sealed, "clients", "dev/app", "key")
	if err != nil || string(plain) != "plain text" {
		t.Fatalf("got %q, %v", plain, err)
	}
	for _, place := range [][3]string{
		{"client", "sdev/app", "key"}, {"clients", "dev/other", "key"}, {"clients", "dev/app", "other"}, {"", "", ""},
	} {
		if _, err := b.Open(sealed, place[0], place[1], place[2]); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("opened at %v: %v", place, err)
		}
	}
}

func TestAnotherMasterKeyOpensNothing(t *testing.T) {
	sealed := box(t, seal.NewKey()).Seal([]byte("x"), "t", "r", "c")
	if _, err := box(t, seal.NewKey()).Open(sealed, "t", "r", "c"); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("got %v", err)
	}
}

func TestMasterKeysOfWrongLengthOrWithoutEntropyAreRefused(t *testing.T) {
	for _, key := range [][]byte{nil, make([]byte, 31), make([]byte, 32), bytes.Repeat([]byte{7}, 32)} {
		if _, err := seal.New(key); err == nil {
			t.Errorf("accepted %v", key)
		}
	}
}

func TestParseKeyReadsHexAndBase64(t *testing.T) {
	key := seal.NewKey()
	for _, text := range []string{
		hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key) + "\n", base64.RawURLEncoding.EncodeToString(key),
	} {
		got, err := seal.ParseKey(text)
		if err != nil || !bytes.Equal(got, key) {
			t.Errorf("ParseKey(%q) = %x, %v", text, got, err)
		}
	}
	if _, err := seal.ParseKey("short"); err == nil {
		t.Error("accepted a short key")
	}
}

func TestHashesDependOnPurposeSecretAndPepper(t *testing.T) {
	b := box(t, seal.NewKey())
	hash := b.Hash("client", "secret")
	if !b.HashMatches("client", "secret", hash) {
		t.Error("the right secret does not match")
	}
	if b.HashMatches("client", "Secret", hash) || b.HashMatches("code", "secret", hash) || b.HashMatches("client", "secret", "") {
		t.Error("a wrong secret, purpose or empty hash matches")
	}
	if box(t, seal.NewKey()).HashMatches("client", "secret", hash) {
		t.Error("another pepper gives the same hash")
	}
}

func FuzzOpenNeverPanicsNorSucceeds(f *testing.F) {
	b, err := seal.New(seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	sealed := b.Seal([]byte("x"), "t", "r", "c")
	f.Add(sealed[:len(sealed)-1])
	f.Add("v1..")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := b.Open(text, "t", "r", "c"); err == nil && text != sealed {
			t.Errorf("opened %q", text)
		}
	})
}

// A digest stays the same: stored ones must be found again.
func TestADigestIsTheSHA256OfASecret(t *testing.T) {
	if got := seal.Digest("abc"); got != "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" {
		t.Errorf("got %s", got)
	}
}
