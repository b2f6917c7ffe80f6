package testlog

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Finding is a place in a log where a secret stands. It never carries the secret.
type Finding struct {
	File string // relative to the scanned folder
	Line int    // from 1
	What string // which kind of secret
}

// String returns "file:line: what".
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.What) }

// Report is what a scan saw.
type Report struct {
	Files, Bytes, Secrets int
	Findings              []Finding
}

// shapes are secrets that are known by their looks.
var shapes = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a JSON Web Token", regexp.MustCompile(`eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"Basic credentials", regexp.MustCompile(`(?i)\bbasic [A-Za-z0-9+/_-]{8,}={0,2}`)},
	{"a sealed value", regexp.MustCompile(`\bv1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{38,}`)},
}

// Scan searches all files in dir/logs for every secret in dir/secrets, raw and
// in the encodings that logs and protocols use, and for what looks like a
// token, a private key, Basic credentials or a sealed value. A scan that had
// nothing to read or nothing to look for is an error.
func Scan(dir string) (Report, error) {
	var report Report
	secrets, err := readSecrets(filepath.Join(dir, "secrets"))
	if err != nil {
		return report, err
	}
	report.Secrets = len(secrets)
	needles := newIndex(secrets)
	files, err := filepath.Glob(filepath.Join(dir, "logs", "*"))
	if err != nil {
		return report, fmt.Errorf("list logs: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return report, fmt.Errorf("read log: %w", err)
		}
		report.Files++
		report.Bytes += len(text)
		name := filepath.Join("logs", filepath.Base(file))
		report.Findings = append(report.Findings, search(name, text, needles)...)
	}
	switch {
	case report.Bytes == 0:
		return report, fmt.Errorf("nothing was scanned: the %d logs in %s are empty", report.Files, dir)
	case report.Secrets == 0:
		return report, fmt.Errorf("nothing was looked for: no test registered a secret in %s", dir)
	}
	return report, nil
}

func search(name string, text []byte, needles index) []Finding {
	var found []Finding
	add := func(offset int, what string) {
		f := Finding{File: name, Line: 1 + bytes.Count(text[:offset], []byte("\n")), What: what}
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	for _, offset := range needles.find(text) {
		add(offset, "a secret that a test registered")
	}
	for _, shape := range shapes {
		for _, at := range shape.pattern.FindAllIndex(text, -1) {
			add(at[0], shape.what)
		}
	}
	return found
}

func readSecrets(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	var secrets []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read secrets: %w", err)
		}
		for line := range bytes.Lines(text) {
			var secret string
			if json.Unmarshal(line, &secret) != nil || len(secret) < MinSecret {
				return nil, fmt.Errorf("%s holds a line that is not a JSON string of at least %d bytes", filepath.Base(file), MinSecret)
			}
			secrets = append(secrets, secret)
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets), nil
}

// index finds many needles in one pass: by their first eight bytes, then whole.
type index map[uint64][][]byte

func newIndex(secrets []string) index {
	needles := index{}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			key := binary.LittleEndian.Uint64([]byte(form))
			needles[key] = append(needles[key], []byte(form))
		}
	}
	return needles
}

// find returns where in text a needle begins.
func (n index) find(text []byte) []int {
	var offsets []int
	for i := 0; i+8 <= len(text); i++ {
		for _, needle := range n[binary.LittleEndian.Uint64(text[i:])] {
			if bytes.HasPrefix(text[i:], needle) {
				offsets = append(offsets, i)
				break
			}
		}
	}
	return offsets
}

// forms returns a secret as logs and protocols may write it. None is shorter
// than the secret.
func forms(secret string) []string {
	raw := []byte(secret)
	inJSON, _ := json.Marshal(secret) // a string always encodes
	all := []string{
		secret,
		string(inJSON[1 : len(inJSON)-1]),
		quoted(secret),
		quoted(quoted(secret)), // a %q inside a JSON log line
		url.QueryEscape(secret),
		url.PathEscape(secret),
		base64.RawStdEncoding.EncodeToString(raw),
		base64.RawURLEncoding.EncodeToString(raw),
		hex.EncodeToString(raw),
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// quoted is %q without the outer quotes, which is also how slog writes JSON.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
