// Package database opens a service's database, migrates it, and runs
// transactions. The data source name decides the dialect: SQLite for the
// first run, small sites and tests, Postgres for production.
//
// Stores receive a *DB and ask Conn for a session; inside InTx the session is
// the transaction's, carried by the context, because go-oauth2's interfaces
// leave no other way to hand it down. What tables mean belongs to the stores.
//
// Times are stored as Micros: UTC microseconds, equal on both dialects, and
// always from the caller's clock.
package database
