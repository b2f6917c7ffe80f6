// Package field holds what sites, tenants, owners and LDAP connections have in
// common about single values: the checks of what comes in, and how a time or
// an absent text is written. Each check returns nil or an apierr.Invalid error
// that names the field.
//
// Rules that look at more than one field, or at other records, belong to the
// resource they protect.
package field
