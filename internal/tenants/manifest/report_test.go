package manifest

import (
	"strings"
	"testing"

	"gatehouse/internal/tenants"
)

func TestChangesAreReportedWithTheirValuesWhenAskedFor(t *testing.T) {
	keys := publicKeys()
	one, err := tenants.KeyID(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	two, err := tenants.KeyID(keys[1])
	if err != nil {
		t.Fatal(err)
	}
	changes := []tenants.Change{
		{New: true, Resource: "tenant", ID: "new", Differences: []tenants.Difference{{Field: "description", New: "x"}}},
		{Resource: "tenant", ID: "dev", Differences: []tenants.Difference{
			{Field: "public_key", Prev: keys[0], New: keys[1]},
			{Field: "description", Prev: nil, New: "<two>\nlines"},
			{Field: "token_gen_services", Prev: []string{}, New: []string{"a", "b"}},
		}},
		{Resource: "tenant", ID: "old", Differences: []tenants.Difference{
			{Field: "public_key", Prev: keys[0], New: nil}, {Field: "status", Prev: "active", New: "inactive"},
		}},
		{Resource: "ldap", ID: "people", Differences: []tenants.Difference{
			{Field: "port", Prev: 389, New: 636},
			{Field: "use_ssl", Prev: false, New: true},
			{Field: "bind_credential", Prev: "hunter2", New: "hunter3"},
		}},
	}
	const brief = `create tenant new
update tenant dev: public_key, description, token_gen_services
update tenant old: public_key, status
update ldap people: port, use_ssl, bind_credential
`
	full := `create tenant new
update tenant dev: public_key, description, token_gen_services
  public_key: key ` + one + ` -> key ` + two + `
  description: none -> "<two>\nlines"
  token_gen_services: [] -> ["a","b"]
update tenant old: public_key, status
  public_key: key ` + one + ` -> none
  status: "active" -> "inactive"
update ldap people: port, use_ssl, bind_credential
  port: 389 -> 636
  use_ssl: false -> true
  bind_credential: another
`
	for values, want := range map[bool]string{false: brief, true: full} {
		var b strings.Builder
		if err := Report(&b, changes, values); err != nil || b.String() != want {
			t.Errorf("got %v\n%s\nwant\n%s", err, b.String(), want)
		}
		b.Reset()
		if err := Report(&b, nil, values); err != nil || b.String() != "nothing to do\n" {
			t.Errorf("no changes: got %v, %q", err, b.String())
		}
	}
}
