// Package tenancy answers which tenant a request is for, and who asks. The
// tenant is the one whose host the request names, exactly: no other header,
// and no part of a URL, selects one. The caller is found by the token and
// headers of a request, by the rules that all Tapis services share, and only
// while the token stands.
//
// Which tenants there are is known by registryclient, the rules are authn's,
// and which token was recorded or revoked is known by tokens. What a tenant
// permits belongs to tenantconfig, what a caller may do to where it is done.
package tenancy
