// Package grants serves POST /v3/oauth2/tokens: one pipeline that every grant
// passes, and one file per grant that only says who is granted what.
//
// The pipeline checks that the tenant permits the grant, authenticates the
// client, asks the grant, and has go-oauth2 (engine.go, its only importer)
// drive the one mint. Clients, directories, tokens and tenant settings belong
// to their own packages.
package grants
