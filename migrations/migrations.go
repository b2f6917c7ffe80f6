// Package migrations carries the SQL of every schema version, for each
// service and each dialect. Files are applied in the order of their numbers,
// each in a transaction, and are never changed once released.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed tenants authenticator
var files embed.FS

// Set is the migrations of one service: a folder per dialect.
type Set struct {
	Service string
	files   fs.FS
}

// The services that have a database.
var (
	Tenants       = Set{Service: "tenants", files: files}
	Authenticator = Set{Service: "authenticator", files: files}
)

// For returns the migrations of one dialect: "sqlite" or "postgres".
func (s Set) For(dialect string) (fs.FS, error) { return fs.Sub(s.files, s.Service+"/"+dialect) }
