package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gatehouse/internal/apierr"
	"gatehouse/internal/config/spelling"
	"gatehouse/internal/tenants"
)

const (
	maxDocument = 32 << 20 // bytes; ten thousand tenants take about 12 MiB
	maxKeyFile  = 64 << 10 // bytes
	maxFaults   = 100      // after which reading ends
)

// keyFile stands in place of public_key.
const (
	publicKey = "public_key"
	keyFile   = "public_key_file"
)

// harmless is what an id may look like to be repeated in a fault.
var harmless = regexp.MustCompile(`^[A-Za-z0-9@._+-]{1,120}$`)

// Read reads the document at path. The error has one line for each fault.
func Read(path string) (tenants.Wanted, error) {
	data, err := readFile(path, maxDocument)
	if err != nil {
		return tenants.Wanted{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return parse(path, data, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return readFile(name, maxKeyFile)
	})
}

// parse reads a document; open returns the content of a file that it names.
func parse(path string, data []byte, open func(name string) ([]byte, error)) (tenants.Wanted, error) {
	top, err := document(data)
	if err != nil {
		return tenants.Wanted{}, fmt.Errorf("%s: %w", path, err)
	}
	r := &reader{path: path, open: open}
	var w tenants.Wanted
	r.keys(top, "the document", []string{"sites", "owners", "ldaps", "tenants"}, func(name string, n *yaml.Node) {
		switch name {
		case "sites":
			w.Sites = list(r, name, tenants.Sites(), n)
		case "owners":
			w.Owners = list(r, name, tenants.Owners(), n)
		case "ldaps":
			w.LDAPs = list(r, name, tenants.LDAPs(), n)
		case "tenants":
			w.Tenants = list(r, name, tenants.Tenants(), n)
		}
	})
	return w, errors.Join(r.faults...)
}

// reader gathers what is wrong with a document.
type reader struct {
	path   string
	open   func(name string) ([]byte, error)
	faults []error
}

func (r *reader) fault(line int, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s:%d: %s", r.path, line, fmt.Sprintf(format, args...)))
}

// full reports whether there are faults enough.
func (r *reader) full() bool { return len(r.faults) >= maxFaults }

// keys calls visit for every key of the mapping n that is one of known. place
// says in faults where n is.
func (r *reader) keys(n *yaml.Node, place string, known []string, visit func(name string, value *yaml.Node)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !r.full(); i += 2 {
		key, line := resolved(n.Content[i]), n.Content[i].Line
		name := key.Value
		switch {
		case key.ShortTag() == "!!merge":
			r.fault(line, "%s has a merge key (<<), which is not supported", place)
		case key.Kind != yaml.ScalarNode || !harmless.MatchString(name):
			r.fault(line, "%s has a key that is not a name", place)
		case lines[name] > 0:
			r.fault(line, "%s has %s twice, the first time in line %d", place, name, lines[name])
		case slices.Contains(tenants.Computed(), name):
			r.fault(line, "%s: %s is set by the registry and cannot be given", place, name)
		case !slices.Contains(known, name):
			r.fault(line, "%s has the unknown key %s%s", place, name, meant(name, known))
		default:
			visit(name, n.Content[i+1])
		}
		lines[name] = line
	}
}

func meant(name string, known []string) string {
	if near, ok := spelling.Nearest(name, known); ok {
		return "; did you mean " + near + "?"
	}
	return ""
}

// list reads the records of one resource.
func list[R any](r *reader, key string, res tenants.Resource[R], n *yaml.Node) []tenants.Patch[R] {
	line := n.Line
	switch n = resolved(n); {
	case empty(n):
		return nil
	case n.Kind != yaml.SequenceNode:
		r.fault(line, "%s must be a list, not %s", key, described(n))
		return nil
	}
	var patches []tenants.Patch[R]
	seen := map[string]int{}
	for i, item := range n.Content {
		if r.full() {
			break
		}
		line, place := item.Line, fmt.Sprintf("%s[%d]", key, i)
		if item = resolved(item); item.Kind != yaml.MappingNode {
			r.fault(line, "%s must be a group of fields, not %s", place, described(item))
			continue
		}
		patch := record(r, place, res, item)
		id := res.ID(&patch.Values)
		switch {
		case id == "":
			r.fault(line, "%s needs a %s", place, res.Fields[0].Name)
		case seen[id] > 0:
			r.fault(line, "%s%s has the %s of the one in line %d", place, label(id), res.Fields[0].Name, seen[id])
		default:
			seen[id] = line
			patch.Origin = fmt.Sprintf("%s:%d: %s", r.path, line, place+label(id))
			patches = append(patches, patch)
		}
	}
	return patches
}

// label returns an id in brackets if it may be repeated, and otherwise "".
func label(id string) string {
	if !harmless.MatchString(id) {
		return ""
	}
	return " (" + id + ")"
}

// record reads the fields of one record.
func record[R any](r *reader, place string, res tenants.Resource[R], n *yaml.Node) tenants.Patch[R] {
	patch := tenants.Patch[R]{Given: map[string]bool{}}
	fields, names := map[string]tenants.Field[R]{}, []string{}
	for _, f := range res.Fields {
		fields[f.Name], names = f, append(names, f.Name)
	}
	if _, has := fields[publicKey]; has {
		names = append(names, keyFile)
	}
	if id := find(n, res.Fields[0].Name); id != nil {
		place += label(id.Value)
	}
	r.keys(n, place, names, func(name string, value *yaml.Node) {
		place, line := place+": "+name, value.Line
		value = resolved(value)
		if name == keyFile {
			if find(n, publicKey) != nil {
				r.fault(line, "%s cannot be given beside %s", place, publicKey)
				return
			}
			if value = r.file(line, place, value); value == nil {
				return
			}
			name = publicKey
		}
		f := fields[name]
		if problem := decode(value, f.Of(&patch.Values)); problem != "" {
			r.fault(line, "%s %s", place, problem)
			return
		}
		patch.Given[name] = true
		if t, ok := any(&patch.Values).(*tenants.Tenant); ok {
			if err := tidy(t, name); err != nil {
				r.fault(line, "%s: %s", place, apierr.From(err).Message)
			}
		}
	})
	return patch
}

// tidy brings the field of a tenant that was just read into the registry's
// own form.
func tidy(t *tenants.Tenant, name string) (err error) {
	switch {
	case name == "status": // responses have it in upper case
		t.Status = tenants.Status(strings.ToLower(string(t.Status)))
	case name == publicKey && t.PublicKey != "":
		t.PublicKey, err = tenants.NormalizePublicKey(t.PublicKey)
	}
	return err
}

// file returns the content of the file that n names as a text, or nil after a
// fault.
func (r *reader) file(line int, place string, n *yaml.Node) *yaml.Node {
	var name string
	problem := decode(n, &name)
	if problem == "" && name == "" {
		problem = "must name a file"
	}
	if problem != "" {
		r.fault(line, "%s %s", place, problem)
		return nil
	}
	text, err := r.open(name)
	if err == nil && len(strings.TrimSpace(string(text))) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		r.fault(line, "%s: %q cannot be read: %v", place, name, err)
		return nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(text)}
}

// readFile reads a file of bounded size. Its errors do not name the file.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err == nil {
		defer func() { _ = file.Close() }()
		var data []byte
		data, err = io.ReadAll(io.LimitReader(file, limit+1))
		if err == nil && int64(len(data)) > limit {
			return nil, fmt.Errorf("it is larger than %d bytes", limit)
		}
		if err == nil {
			return data, nil
		}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return nil, err
}
