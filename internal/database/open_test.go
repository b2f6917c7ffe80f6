package database_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/database"
	"gatehouse/internal/testdb"
	"gatehouse/migrations"
)

func TestASQLiteURLNamesExactlyOneFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for dsn, file := range map[string]string{
		"sqlite:relative.db":                      "relative.db",
		"sqlite:./dotted.db":                      "dotted.db",
		"sqlite://two-slashes.db":                 "two-slashes.db",
		"sqlite:a folder/../up.db":                "up.db",
		"sqlite:" + dir + "/absolute.db":          "absolute.db",
		"sqlite://" + dir + "/three-slashes.db":   "three-slashes.db",
		"sqlite:///" + dir + "/four-slashes.db":   "four-slashes.db",
		"sqlite:" + dir + "/a folder/a file.db":   "a folder/a file.db",
		"sqlite:" + dir + "/question?mode=ro.db":  "question?mode=ro.db",
		"sqlite:" + dir + "/hash#1.db":            "hash#1.db",
		"sqlite:" + dir + "/percent%41.db":        "percent%41.db",
		"sqlite:" + dir + "/percent%.db":          "percent%.db",
		"sqlite:" + dir + "/co:lon.db":            "co:lon.db",
		"sqlite:" + dir + "/and&plus+equals=.db":  "and&plus+equals=.db",
		"sqlite:" + dir + "/quo'te\"s`.db":        "quo'te\"s`.db",
		"sqlite:" + dir + "/back\\slash;semi.db":  "back\\slash;semi.db",
		"sqlite:" + dir + "/schlüssel 😀.db":       "schlüssel 😀.db",
		"sqlite:" + dir + "/nothing.db?_pragma=x": "nothing.db?_pragma=x",
		"sqlite:no-extension":                     "no-extension",
	} {
		before, _ := os.ReadDir(".")
		db := open(t, dsn)
		if db.Dialect() != database.SQLite {
			t.Errorf("%s: the dialect is %s", dsn, db.Dialect())
		}
		exec(t, db, notesTable)
		if err := insert(t.Context(), db, 1, "kept"); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", dsn, err)
		}
		after, _ := os.ReadDir(".")
		if made := len(after) - len(before); made > 1 || (made == 0 && !strings.Contains(file, "/")) {
			t.Errorf("%s made %d files", dsn, made)
		}
		if again := open(t, dsn); count(t, again, t.Context()) != 1 {
			t.Errorf("%s: the row is lost", dsn)
		}
	}
}

func TestASQLiteFileThatCannotBeOpenedIsNamedWithTheReason(t *testing.T) {
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, reason := range map[string]string{
		dir + "/missing/x.db": "no such file or directory",
		dir:                   "is a directory",
		notes + "/x.db":       "not a directory",
		notes:                 "not a database",
	} {
		_, err := database.Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, reason)
		}
	}
}

func TestAURLOfNoKnownKindIsRefusedWithoutShowingIt(t *testing.T) {
	for reason, dsns := range map[string][]string{
		"must begin with sqlite: or postgres://": {
			"", "mysql://u:s3cr3t@host/db", "user=u password=s3cr3t host=h", "POSTGRES://u:s3cr3t@host/db", "postgres:u:s3cr3t@host/db",
			" postgres://u:s3cr3t@host/db", "file:x.db", "/var/lib/x.db", "sqlite",
		},
		"names no SQLite file": {"sqlite:", "sqlite://"},
		"%40":                  {"postgres://u:s3@cr3t@host/db", "postgresql://u@x:s3cr3t@host/db"},
		"%2F":                  {"postgres://u:s3/cr3t@host/db", "postgres://u:s3cr3t/12@[::1]:1/db"},
	} {
		for _, dsn := range dsns {
			_, err := database.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "cr3t") ||
				strings.Contains(err.Error(), "s3") {
				t.Errorf("%q: %v, want %q", dsn, err, reason)
			}
		}
	}
}

func TestAPostgresURLIsOpened(t *testing.T) {
	dsn := testdb.PostgresDSN(t)
	for _, url := range []string{dsn, strings.Replace(dsn, "postgres://", "postgresql://", 1), dsn + "&application_name=a@b"} {
		if db := open(t, url); db.Dialect() != database.Postgres {
			t.Errorf("%s: the dialect is %s", url, db.Dialect())
		}
	}
}

// Whatever goes wrong, the operator's password is in no error and no log.
func TestAPasswordIsNeverShown(t *testing.T) {
	closed := closedAddress(t)
	telltale := telltaleServer(t)
	for name, dsn := range map[string]string{
		"nobody listens":           "postgres://u:s3cr3t-w0rd@" + closed + "/db",
		"encoded":                  "postgres://u:s3cr3t%2Dw0rd@" + closed + "/db",
		"no such host":             "postgres://u:s3cr3t-w0rd@host.invalid/db",
		"a wrong option":           "postgres://u:s3cr3t-w0rd@" + closed + "/db?sslmode=maybe",
		"another wrong option":     "postgres://u:s3cr3t-w0rd@" + closed + "/db?connect_timeout=soon",
		"a port that is none":      "postgres://u:s3cr3t-w0rd@127.0.0.1:port/db",
		"bad encoding":             "postgres://u:s3cr3t-w0rd%zz@" + closed + "/db",
		"a blank":                  "postgres://u:s3cr3t-w0rd @" + closed + "/db",
		"a raw hash":               "postgres://u:s3cr3t-w0rd#x@" + closed + "/db",
		"a raw question mark":      "postgres://u:s3cr3t-w0rd?x@" + closed + "/db",
		"several hosts":            "postgres://u:s3cr3t-w0rd@" + closed + ",host.invalid:5432/db",
		"in the query":             "postgres://" + closed + "/db?user=u&password=s3cr3t-w0rd",
		"in the query, malformed":  "postgres://" + closed + "/db?user=u&password=s3cr3t-w0rd&sslmode=maybe",
		"a server that repeats it": "postgres://u:s3cr3t-w0rd@" + telltale + "/db?sslmode=disable",
		"and it was encoded":       "postgres://u:s3cr3t%2Dw0rd@" + telltale + "/db?sslmode=disable",
	} {
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := database.Open(ctx, dsn, slog.New(slog.NewTextHandler(&log, nil)))
		cancel()
		if err == nil || !strings.HasPrefix(err.Error(), "open postgres database: ") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range []string{"s3cr3t", "w0rd"} {
			if strings.Contains(err.Error(), text) || strings.Contains(log.String(), text) {
				t.Errorf("%s: the error or the log shows the password: %v\n%s", name, err, &log)
			}
		}
		if strings.HasSuffix(dsn, "sslmode=disable") && !strings.Contains(err.Error(), "refused for") {
			t.Errorf("%s: what the server said is lost: %v", name, err)
		}
	}
}

func TestARefusalByARealServerDoesNotShowThePassword(t *testing.T) {
	u, err := url.Parse(testdb.PostgresDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("nobody", "s3cr3t-w0rd")
	for _, path := range []string{u.Path, "/missing"} {
		u.Path = path
		_, err := database.Open(t.Context(), u.String(), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "nobody") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOpeningEndsWithItsContext(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err = database.Open(ctx, "postgres://u:s3cr3t@"+silent.Addr().String()+"/db?sslmode=disable", slog.New(slog.DiscardHandler))
	if took := time.Since(started); err == nil || took > 5*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestSQLiteIsOpenedWithForeignKeysAndAWriteAheadLog(t *testing.T) {
	db := testdb.New(t, migrations.Tenants)
	for pragma, want := range map[string]string{
		"foreign_keys": "1", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "5000", "wal_autocheckpoint": "4000",
	} {
		var got string
		if err := db.Conn(t.Context()).Raw("PRAGMA " + pragma).Scan(&got).Error; err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", pragma, got, want, err)
		}
	}
}

func TestAClosedDatabaseDoesNotAnswer(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("open: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := db.Ping(t.Context()); err == nil {
			t.Error("a closed database answers")
		}
	})
}

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// telltaleServer speaks enough of Postgres' protocol to ask for a password
// and to repeat it in its refusal.
func telltaleServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = refuse(conn)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func refuse(conn net.Conn) error {
	if _, err := frame(conn); err != nil { // start-up: no type
		return err
	}
	if _, err := conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}); err != nil { // a password in clear text, please
		return err
	}
	kind := make([]byte, 1)
	if _, err := io.ReadFull(conn, kind); err != nil || kind[0] != 'p' {
		return errors.Join(err, errors.New("no password"))
	}
	password, err := frame(conn)
	if err != nil {
		return err
	}
	text := "SFATAL\x00C28P01\x00M" + "refused for " + strings.TrimRight(string(password), "\x00") + "\x00\x00"
	_, err = conn.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(text)+4)), text...))
	return err
}

func frame(conn net.Conn) ([]byte, error) {
	var length uint32
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return nil, err
	}
	body := make([]byte, length-4)
	_, err := io.ReadFull(conn, body)
	return body, err
}
