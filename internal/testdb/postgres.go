package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver for creating and emptying databases
)

// reservations is the class of the advisory locks that keep test databases
// apart; any number that nobody else uses in the cluster's own database.
const reservations = 2026_11

// reserve returns the URL of an empty database that is the test's alone.
//
// Creating a database takes several times as long as emptying one, so tests
// share a few, numbered from 1, one after the other and across processes. An
// advisory lock says who has one now; it ends with its connection, so that a
// killed process leaves nothing reserved.
func reserve(t testing.TB, cluster string) (string, error) {
	u, err := url.Parse(cluster)
	if err != nil {
		return "", errors.New("GATEHOUSE_TEST_POSTGRES is not a URL")
	}
	pool, err := sql.Open("pgx", cluster)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = pool.Close() })
	admin, err := pool.Conn(t.Context())
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { _ = admin.Close() })
	number, err := freeNumber(t.Context(), admin)
	if err != nil {
		return "", err
	}
	u.Path = fmt.Sprintf("/gatehouse_test_%d", number)
	return u.String(), empty(t.Context(), admin, u)
}

// freeNumber locks the first database that nobody has.
func freeNumber(ctx context.Context, admin *sql.Conn) (int, error) {
	for number := 1; ; number++ {
		var mine bool
		err := admin.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1, $2)", reservations, number).Scan(&mine)
		if err != nil || mine {
			return number, err
		}
	}
}

// empty makes the database if need be, ends what earlier tests may have left
// connected, and drops all that is in it.
func empty(ctx context.Context, admin *sql.Conn, u *url.URL) error {
	name := u.Path[1:]
	var there bool
	err := admin.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	if err != nil {
		return err
	}
	if !there {
		_, err := admin.ExecContext(ctx, "CREATE DATABASE "+name)
		return err
	}
	if _, err := admin.ExecContext(ctx, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
		name); err != nil {
		return err
	}
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public")
	return err
}
