// Package tenancy answers which tenant a request is for. It keeps a view of
// the registry, fetched over its HTTP API with ETags, remembered in the
// database for starts without the registry, and matches the request's host
// exactly against it: no other header, and no part of a URL, selects a tenant.
//
// What a tenant permits belongs to tenantconfig, its keys to keys.
package tenancy
