package kernel

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/fair"
	"gatehouse/internal/seal"
)

// SecretAddress says whose secret it is and what it is called.
type SecretAddress struct {
	TenantID string
	Type     string // UserSecret, or one of the other types
	Account  string // whose it is; of some types, what it opens
	Name     string // "+" separates the folders that it is in, if any
}

// The types of secrets.
const (
	// UserSecret belongs to one account, such as the passwords with which the
	// authenticator binds to directories.
	UserSecret = "user"

	serviceSecret  = "service"
	systemSecret   = "system"
	databaseSecret = "dbcred"
	signingSecret  = "jwtsigning"
)

const (
	// maxVersions is how many versions of a secret are kept.
	maxVersions = 10
	// maxSecrets is how many secrets of the type user an account may have.
	maxSecrets = 200
	// maxSecret bounds a version, in bytes of JSON.
	maxSecret = 16 << 10
	// maxPart bounds each part of an address.
	maxPart = 200
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$`)

// SecretVersion describes one version of a secret.
type SecretVersion struct {
	Version   int
	Created   time.Time
	Deleted   time.Time // zero: it is not
	Destroyed bool
}

func (r secretRow) version() SecretVersion {
	return SecretVersion{
		Version: r.Version, Created: r.CreateTime.Time(), Deleted: r.DeletionTime.Time(),
		Destroyed: r.DestroyTime != 0,
	}
}

// row names a version unambiguously, for sealing.
func (a SecretAddress) row(version int) string {
	return fmt.Sprintf("%q %q %q %q %d", a.TenantID, a.Type, a.Account, a.Name, version)
}

// valid reports whether a secret can be there; other addresses may be more
// than the database can take.
func (a SecretAddress) valid() bool {
	return secretName.MatchString(a.Name) && isName(a.TenantID) && isName(a.Type) &&
		a.Account != "" && len(a.Account) <= 8*maxPart && utf8.ValidString(a.Account) && !strings.ContainsRune(a.Account, 0)
}

// canonicalName turns the name of a secret as it comes in a URL, where folders
// may be separated by + or an encoded /, into the one that is kept. Where a
// path has other encoded characters its plus signs arrive as spaces.
func canonicalName(name string) (string, error) {
	name = strings.NewReplacer("/", "+", " ", "+").Replace(name)
	if !secretName.MatchString(name) || strings.Contains(name, "++") || strings.HasSuffix(name, "+") {
		return "", apierr.Invalidf("The field secretName must have letters, digits and . _ - only, "+
			"with + between folders, at most %d of them.", maxPart)
	}
	return name, nil
}

// generate is the value in the place of which a random one is kept.
const generate = "<generate-secret>"

// The names of a generated key pair's halves.
const (
	privateHalf = "privateKey"
	publicHalf  = "publicKey"
)

// generated returns content with every value that asks for it generated: a
// password, or under privateKey an RSA key pair. The owner is who waits for it.
func (s *Service) generated(ctx context.Context, owner string, content map[string]string) (map[string]string, error) {
	full := maps.Clone(content)
	for name, value := range content {
		if value != generate || name == privateHalf {
			continue
		}
		full[name] = seal.NewSecret()
	}
	if content[privateHalf] != generate {
		return full, nil
	}
	// A pair costs a good part of a second of a core: one at a time, in turn
	// for the accounts that want one.
	release, err := s.generating.Take(fair.With(ctx, owner))
	if err != nil {
		return nil, apierr.Away(err, "The generation of keys")
	}
	defer release()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, apierr.Wrap(err, "generate key pair")
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, apierr.Wrap(err, "encode private key")
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, apierr.Wrap(err, "encode public key")
	}
	full[privateHalf] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	full[publicHalf] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	return full, nil
}
