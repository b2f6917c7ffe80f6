package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gatehouse/internal/seal"
	"gatehouse/internal/server"
)

// dataDir is where a development site keeps its state, readable by its owner
// alone.
type dataDir string

// lock reserves the directory for this process until unlock is called or the
// process ends: a second site would rewrite the addresses of the first.
func (d dataDir) lock() (unlock func(), err error) {
	if err := d.makeOwn(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("data_dir: %s is in use by another gatehouse; "+
			"stop it, or set GATEHOUSE_DATA_DIR to another directory", string(d))
	}
	return func() { _ = f.Close() }, nil
}

// makeOwn makes the directory, and closes to others one that was made before: by
// us, or empty. Any other is not ours to close.
func (d dataDir) makeOwn() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	info, err := os.Stat(string(d))
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "tenants.db" }) {
		return fmt.Errorf("data_dir: %s is open to others and holds other things; name another directory, or close it with chmod 700", d)
	}
	if err := os.Chmod(string(d), 0o700); err != nil { //nolint:gosec // a directory needs its x
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}

// prepare makes the directory and the empty database files, so that SQLite
// does not choose wider modes.
func (d dataDir) prepare() error {
	if err := d.makeOwn(); err != nil {
		return err
	}
	for _, name := range []string{"tenants.db", "authenticator.db"} {
		f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("data_dir: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("data_dir: %w", err)
		}
	}
	return nil
}

func (d dataDir) path(name string) string { return filepath.Join(string(d), name) }

// dsn is the database URL of a service.
func (d dataDir) dsn(service string) string { return "sqlite:" + d.path(service+".db") }

// masterKey reads the master key, or makes it at the first start.
func (d dataDir) masterKey() ([]byte, error) {
	text, _, err := d.secret("master-key", func() string { return base64.StdEncoding.EncodeToString(seal.NewKey()) })
	if err != nil {
		return nil, err
	}
	key, err := seal.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path("master-key"), err)
	}
	return key, nil
}

// servicePassword reads the password of the service accounts, or makes it at
// the first start; isNew reports which.
func (d dataDir) servicePassword() (password string, isNew bool, err error) {
	return d.secret("service-password", seal.NewSecret)
}

// directoryAddress returns where the embedded directory was before, so that LDAP
// connections which name it go on working, or "" when somebody else is there.
func (d dataDir) directoryAddress(ctx context.Context) string {
	text, err := os.ReadFile(d.path(directoryFile))
	if err != nil {
		return ""
	}
	addr := strings.TrimSpace(string(text))
	if !server.Loopback(addr) {
		return ""
	}
	l, err := server.Listen(ctx, addr)
	if err != nil {
		return ""
	}
	_ = l.Close()
	return addr
}

func (d dataDir) keepDirectoryAddress(addr string) error {
	if err := os.WriteFile(d.path(directoryFile), []byte(addr+"\n"), 0o600); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}

const directoryFile = "directory-address"

// secret reads a secret file, or writes what generate returns to a new one.
func (d dataDir) secret(name string, generate func() string) (value string, isNew bool, err error) {
	path := d.path(name)
	text, err := os.ReadFile(path) //nolint:gosec // a fixed name in the configured directory
	if err == nil {
		if value = strings.TrimSpace(string(text)); value == "" { // left by a start that was cut off
			return "", false, fmt.Errorf("the secret file %s is empty; delete it to have a new one made", path)
		}
		return value, false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", false, fmt.Errorf("read secret file: %w", err)
	}
	value = generate()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // as above
	if err != nil {
		return "", false, fmt.Errorf("make secret file: %w", err)
	}
	_, err = f.WriteString(value + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", false, fmt.Errorf("write secret file: %w", err)
	}
	return value, true, nil
}
