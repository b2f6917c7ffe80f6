// Package grants serves POST /v3/oauth2/tokens: one pipeline that every grant
// passes, and one file per grant that only says who is granted what. Revoking
// and introspecting tokens, and asking for device codes, are here too.
//
// The pipeline checks that the tenant permits the grant, authenticates the
// client, asks the grant, makes sure that the person may have tokens now, and
// has go-oauth2 (engine.go, its only importer) drive the one mint. Clients,
// people, tokens and tenant settings belong to their own packages.
package grants
