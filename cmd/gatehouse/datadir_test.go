package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authenticator/keys"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
	"gatehouse/internal/server"
)

func TestADataDirectoryIsItsOwnersAlone(t *testing.T) {
	r := startIn(t, filepath.Join(t.TempDir(), "made", "with parents"), nil)
	r.login(r.ada)
	var names []string
	err := filepath.WalkDir(r.dataDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %o", path, mode)
		}
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "authenticator.db authenticator.db-shm authenticator.db-wal directory-address lock master-key service-password " +
		"tenants.db tenants.db-shm tenants.db-wal"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the files are %s, want %s", got, want)
	}
}

func TestADataDirectoryMayHaveAnyName(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"data", "./dotted/", "a b", "what?", "#1", "100%41", "co:lon", "ümlaut", "up/../down"} {
		d := dataDir(name)
		if err := d.prepare(); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		db, err := database.Open(t.Context(), d.dsn("tenants"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if err := db.Conn(t.Context()).Exec("CREATE TABLE t (x INTEGER)").Error; err != nil {
			t.Errorf("%q: %v", name, err)
		}
		_ = db.Close()
		if info, err := os.Stat(filepath.Join(name, "tenants.db")); err != nil || info.Size() == 0 {
			t.Errorf("%q: the database is elsewhere: %v", name, err)
		}
	}
}

func TestPreparingAgainKeepsWhatIsThere(t *testing.T) {
	d := dataDir(t.TempDir())
	if err := os.WriteFile(d.path("tenants.db"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.prepare(); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(d.path("tenants.db")); err != nil || string(text) != "content" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestADataDirectoryThatCannotBeMadeIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range []dataDir{dataDir(file), dataDir(file + "/below")} {
		if err := d.prepare(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", d, err)
		}
	}
}

func TestSecretsAreMadeOnceAndKept(t *testing.T) {
	d, other := dataDir(t.TempDir()), dataDir(t.TempDir())
	key, err := d.masterKey()
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	password, isNew, err := d.servicePassword()
	if err != nil || !isNew || len(password) < 32 {
		t.Fatalf("%d characters, new: %t, %v", len(password), isNew, err)
	}
	if again, err := d.masterKey(); err != nil || !bytes.Equal(again, key) {
		t.Errorf("another key at the second start, or %v", err)
	}
	if again, isNew, err := d.servicePassword(); err != nil || isNew || again != password {
		t.Errorf("another password at the second start (new: %t), or %v", isNew, err)
	}
	if foreign, err := other.masterKey(); err != nil || bytes.Equal(foreign, key) {
		t.Errorf("the same key elsewhere, or %v", err)
	}
	if foreign, _, err := other.servicePassword(); err != nil || foreign == password {
		t.Errorf("the same password elsewhere, or %v", err)
	}
}

func TestASecretThatAPersonWroteIsTakenWithoutItsLineEnd(t *testing.T) {
	d := dataDir(t.TempDir())
	if err := os.WriteFile(d.path("service-password"), []byte(" chosen by hand \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, isNew, err := d.servicePassword(); got != "chosen by hand" || isNew || err != nil {
		t.Errorf("%q, new: %t, %v", got, isNew, err)
	}
}

func TestASecretFileThatIsNoGoodIsNamedAndKept(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "blank": " \n", "short": "c2hvcnQ=\n", "no key": "this is s3cr3t but no key\n",
	} {
		d := dataDir(t.TempDir())
		path := d.path("master-key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := d.masterKey()
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != content {
			t.Errorf("%s: the file became %q, %v", name, kept, err)
		}
	}
	d := dataDir(t.TempDir())
	if err := os.WriteFile(d.path("service-password"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := d.servicePassword(); err == nil || !strings.Contains(err.Error(), d.path("service-password")) {
		t.Errorf("an empty password: %q, %v", got, err)
	}
}

func TestASecretThatCannotBeReadOrWrittenIsAnError(t *testing.T) {
	d := dataDir(t.TempDir())
	if err := os.Mkdir(d.path("service-password"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, _, err := d.servicePassword(); err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	if got, _, err := dataDir(d.path("missing")).servicePassword(); err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
	dangling := dataDir(t.TempDir())
	if err := os.Symlink("/nowhere/at/all", dangling.path("service-password")); err != nil {
		t.Fatal(err)
	}
	if got, _, err := dangling.servicePassword(); err == nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheDirectoryGoesWhereItWasUnlessSomebodyElseIsThere(t *testing.T) {
	d := dataDir(t.TempDir())
	if got := d.directoryAddress(t.Context()); got != "" {
		t.Errorf("at first: %q", got)
	}
	l, err := server.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := d.keepDirectoryAddress(addr); err != nil {
		t.Fatal(err)
	}
	if got := d.directoryAddress(t.Context()); got != "" {
		t.Errorf("taken: %q", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := d.directoryAddress(t.Context()); got != addr {
		t.Errorf("free: %q, want %s", got, addr)
	}
	for _, text := range []string{"", "0.0.0.0:1389", "nonsense", "127.0.0.1"} {
		if err := d.keepDirectoryAddress(text); err != nil {
			t.Fatal(err)
		}
		if got := d.directoryAddress(t.Context()); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestAnotherMasterKeyStartsNothing(t *testing.T) {
	r := start(t)
	r.halt()
	path := dataDir(r.dataDir).path("master-key")
	if err := os.WriteFile(path, []byte(hex.EncodeToString(seal.NewKey())), 0o600); err != nil {
		t.Fatal(err)
	}
	if site, err := openSite(t.Context(), dataDir(r.dataDir), r.plan, slog.New(slog.DiscardHandler), time.Now); err == nil {
		site.close()
		t.Error("the site starts with another master key")
	} else if !errors.Is(err, keys.ErrMasterKey) || !strings.Contains(err.Error(), path) {
		t.Errorf("refused with %v", err)
	}
}
