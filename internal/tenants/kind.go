package tenants

import (
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/tenants/field"
	"gatehouse/internal/tenants/history"
	"gatehouse/internal/tenants/sites"
)

// Field is a member of a row that can be set, by its name in the API.
type Field[R any] struct {
	Name  string
	Fixed bool             // it stays what it was when the row was made
	Of    func(row *R) any // where it is: a *string, *int, *bool or *[]string
}

// Kind describes rows of one type. Its first field identifies them.
type Kind[R any] struct {
	Name   string // tenant
	Fields []Field[R]
}

// Sites describes sites.
func Sites() Kind[sites.Site] {
	type row = sites.Site
	return Kind[row]{Name: "site", Fields: []Field[row]{
		{"site_id", true, func(s *row) any { return &s.ID }},
		{"primary", true, func(s *row) any { return &s.Primary }},
		{"base_url", false, func(s *row) any { return &s.BaseURL }},
		{"tenant_base_url_template", false, func(s *row) any { return &s.TenantBaseURLTemplate }},
		{"site_admin_tenant_id", false, func(s *row) any { return &s.AdminTenantID }},
		{"services", false, func(s *row) any { return &s.Services }},
	}}
}

// Owners describes owners.
func Owners() Kind[Owner] {
	return Kind[Owner]{Name: "owner", Fields: []Field[Owner]{
		{"email", true, func(o *Owner) any { return &o.Email }},
		{"name", false, func(o *Owner) any { return &o.Name }},
		{"institution", false, func(o *Owner) any { return &o.Institution }},
	}}
}

// LDAPs describes LDAP connections.
func LDAPs() Kind[LDAPConnection] {
	type row = LDAPConnection
	return Kind[row]{Name: "ldap", Fields: []Field[row]{
		{"ldap_id", true, func(l *row) any { return &l.ID }},
		{"url", false, func(l *row) any { return &l.URL }},
		{"port", false, func(l *row) any { return &l.Port }},
		{"use_ssl", false, func(l *row) any { return &l.UseSSL }},
		{"user_dn", false, func(l *row) any { return &l.UserDN }},
		{"bind_dn", false, func(l *row) any { return &l.BindDN }},
		{"bind_credential", false, func(l *row) any { return &l.BindCredential }},
		{"account_type", false, func(l *row) any { return (*string)(&l.AccountType) }},
	}}
}

// Tenants describes tenants.
func Tenants() Kind[Tenant] {
	type row = Tenant
	return Kind[row]{Name: "tenant", Fields: []Field[row]{
		{"tenant_id", true, func(t *row) any { return &t.ID }},
		{"base_url", true, func(t *row) any { return &t.BaseURL }},
		{"site_id", true, func(t *row) any { return &t.SiteID }},
		{"status", false, func(t *row) any { return (*string)(&t.Status) }},
		{"token_service", false, func(t *row) any { return &t.TokenService }},
		{"security_kernel", false, func(t *row) any { return &t.SecurityKernel }},
		{"authenticator", false, func(t *row) any { return &t.Authenticator }},
		{"owner", false, func(t *row) any { return &t.Owner }},
		{"admin_user", false, func(t *row) any { return &t.AdminUser }},
		{"token_gen_services", false, func(t *row) any { return &t.TokenGenServices }},
		{"public_key", false, func(t *row) any { return &t.PublicKey }},
		{"service_ldap_connection_id", false, func(t *row) any { return &t.ServiceLDAPConnectionID }},
		{"user_ldap_connection_id", false, func(t *row) any { return &t.UserLDAPConnectionID }},
		{"description", false, func(t *row) any { return &t.Description }},
	}}
}

// ID returns what identifies the row.
func (k Kind[R]) ID(row *R) string { return *k.Fields[0].Of(row).(*string) }

// Value returns the value of the field in row as JSON has it: a text, which
// is nil when empty, a number, a truth, or a list of texts, never nil.
func (f Field[R]) Value(row *R) any {
	switch p := f.Of(row).(type) {
	case *string:
		if *p == "" {
			return nil
		}
		return *p
	case *[]string:
		return field.List(*p)
	case *int:
		return *p
	default:
		return *p.(*bool)
	}
}

// same reports whether the field has the same value in both rows.
func (f Field[R]) same(a, b *R) bool {
	if list, ok := f.Of(a).(*[]string); ok {
		return slices.Equal(*list, *f.Of(b).(*[]string))
	}
	return f.Value(a) == f.Value(b)
}

// take gives the field of row the value that it has in from.
func (f Field[R]) take(row, from *R) {
	switch p := f.Of(row).(type) {
	case *string:
		*p = *f.Of(from).(*string)
	case *[]string:
		*p = slices.Clone(*f.Of(from).(*[]string))
	case *int:
		*p = *f.Of(from).(*int)
	case *bool:
		*p = *f.Of(from).(*bool)
	}
}

// Patch is what is wanted of one row. Fields that are not given stay as they
// are; one that is given empty is cleared.
type Patch[R any] struct {
	Origin string          // where it was said, for errors
	Values R               // identifies the row, too
	Given  map[string]bool // names of the fields whose values count
}

// onto returns the row that the patch makes of row. Without one, a new row,
// nothing stands for what is not given, so truths must be. Errors: Invalid.
func (p Patch[R]) onto(k Kind[R], row R, isNew bool) (R, error) {
	was := row
	for _, f := range k.Fields {
		_, truth := f.Of(&row).(*bool)
		switch {
		case !p.Given[f.Name] && truth && isNew:
			return row, apierr.Invalidf("The field %s is required.", f.Name)
		case !p.Given[f.Name]:
			continue
		case f.Fixed && !isNew && !f.same(&was, &p.Values):
			return row, apierr.Invalidf("The field %s of an existing %s cannot be changed; it is %v.", f.Name, k.Name, f.Value(&was))
		}
		f.take(&row, &p.Values)
	}
	return row, nil
}

// Difference is a field of a row with its values before and after a change,
// as Field.Value returns them.
type Difference = history.Change

// differences compares two states of a row.
func (k Kind[R]) differences(was, now *R) []Difference {
	var found []Difference
	for _, f := range k.Fields {
		if !f.same(was, now) {
			found = append(found, Difference{Field: f.Name, Prev: f.Value(was), New: f.Value(now)})
		}
	}
	return found
}
