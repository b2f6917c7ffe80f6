package devldap

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// firstUID is the uidNumber of the first person.
const firstUID = 10001

// tree holds all entries. It is never changed after Start.
type tree struct {
	entries map[string]*entry // by the key of their name
	order   []*entry          // as a search tells them: parents first
}

// entry is one object.
type entry struct {
	dn         string
	name       name
	attributes []attribute
	canBind    bool
	digest     [sha256.Size]byte
}

// attribute is an attribute of an entry. Operational attributes are told only
// to those who ask for them.
type attribute struct {
	name        string
	values      []string
	folded      []string
	operational bool
}

func newAttribute(name string, values ...string) attribute {
	a := attribute{name: name, values: values}
	for _, v := range values {
		a.folded = append(a.folded, fold(v))
	}
	return a
}

// folded returns the folded values of an attribute, nil when there are none.
func (e *entry) folded(attributeName string) []string {
	for i := range e.attributes {
		if strings.EqualFold(e.attributes[i].name, attributeName) {
			return e.attributes[i].folded
		}
	}
	return nil
}

// unitDN returns the DN of an organizational unit.
func unitDN(unit, base string) string { return "ou=" + ldap.EscapeDN(unit) + "," + base }

func newTree(cfg Config) (*tree, error) {
	t := &tree{entries: map[string]*entry{}}
	created := newAttribute("createTimestamp", cfg.Now().UTC().Format("20060102150405Z"))
	created.operational = true
	base, err := parseDN(cfg.BaseDN)
	if err != nil || len(base) == 0 {
		return nil, fmt.Errorf("devldap: the base DN %q is not a distinguished name", cfg.BaseDN)
	}
	err = t.add(&entry{dn: cfg.BaseDN, attributes: []attribute{newAttribute("objectClass", "top"), created}})
	if err != nil {
		return nil, err
	}
	uid := firstUID
	for _, unit := range slices.Sorted(maps.Keys(cfg.People)) {
		parent := unitDN(unit, cfg.BaseDN)
		err := t.add(&entry{dn: parent, attributes: []attribute{
			newAttribute("objectClass", "top", "organizationalUnit"), newAttribute("ou", unit), created,
		}})
		if err != nil {
			return nil, err
		}
		for _, p := range cfg.People[unit] {
			e, err := newPerson(p, parent, uid, created)
			if err != nil {
				return nil, err
			}
			if err := t.add(e); err != nil {
				return nil, err
			}
			uid++
		}
	}
	return t, nil
}

func newPerson(p Person, parent string, uid int, created attribute) (*entry, error) {
	if p.Username == "" || p.Password == "" {
		return nil, fmt.Errorf("devldap: a person below %s has no name or no password", parent)
	}
	if !isText(p.Username) {
		return nil, fmt.Errorf("devldap: the name of a person below %s is not text", parent)
	}
	e := &entry{
		dn: "uid=" + ldap.EscapeDN(p.Username) + "," + parent, canBind: true, digest: sha256.Sum256([]byte(p.Password)),
		attributes: []attribute{
			newAttribute("objectClass", "top", "person", "organizationalPerson", "inetOrgPerson"),
			newAttribute("uid", p.Username),
			newAttribute("cn", p.Username),
			newAttribute("sn", cmp.Or(p.LastName, p.Username)), // The schema requires one.
			newAttribute("uidNumber", strconv.Itoa(uid)),
			created,
		},
	}
	if p.GivenName != "" {
		e.attributes = append(e.attributes, newAttribute("givenName", p.GivenName))
	}
	if p.Email != "" {
		e.attributes = append(e.attributes, newAttribute("mail", p.Email))
	}
	return e, nil
}

// add puts e into the tree, at the place that its DN says.
func (t *tree) add(e *entry) error {
	n, err := parseDN(e.dn)
	if err != nil {
		return fmt.Errorf("devldap: %q is not a distinguished name", e.dn)
	}
	e.name = n
	key := n.key()
	if _, taken := t.entries[key]; taken {
		return fmt.Errorf("devldap: %s is there twice", e.dn)
	}
	t.entries[key] = e
	t.order = append(t.order, e)
	return nil
}

// randomDigest returns a digest of no password.
func randomDigest() (d [sha256.Size]byte) {
	_, _ = rand.Read(d[:])
	return d
}
