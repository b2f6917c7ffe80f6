// Package manifest reads and writes the content of a registry as one YAML
// document, for tenants apply and tenants export:
//
//	sites:    [{site_id: main, primary: true, ...}]
//	owners:   [{email: ops@example.org, ...}]
//	ldaps:    [{ldap_id: people, ...}]
//	tenants:  [{tenant_id: dev, public_key_file: dev.pem, ...}]
//
// Records have the fields of the API, without those that the registry sets
// itself. A field that is left out stays as it is; null, or an empty value,
// clears it. In place of public_key, public_key_file may name a PEM file,
// relative to the document; both are best left out for a tenant whose keys the
// authenticator publishes, or an old document would bring an old key back.
//
// Here is what the document's form asks for: known keys, right types, no record
// twice, readable keys. Everything is reported at once, with file, line, list
// item and field. What records must fulfil, and how the registry is changed, is
// the business of package tenants.
package manifest
