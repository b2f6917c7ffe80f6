package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds the files that are read, in bytes.
const maxFile = 1 << 20

// Sources says where the settings come from, besides their defaults.
type Sources struct {
	File    string   // path of the YAML file; empty: none
	Environ []string // "NAME=value" as os.Environ returns it; the last of equal names counts
	Prefix  string   // variables that begin so and belong to no setting are faults; empty: none are
}

// Load fills dst, a pointer to a settings struct. Fields that no source sets
// get their default or zero. The error is of type Faults, and dst is then left
// as it was.
func Load(dst any, src Sources) error {
	target := reflect.ValueOf(dst)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("config: Load needs a pointer to a struct, not %T", dst))
	}
	root := schemaOf(dst)
	v := reflect.New(target.Type().Elem()).Elem()
	l := &loader{root: root, given: map[string]bool{}}
	root.presets(v)
	readable := src.File == "" || l.file(src.File, v)
	l.environ(src, v)
	if readable { // who knows what it would have given
		l.required(v)
		l.validate(v)
	}
	if len(l.faults) > 0 {
		return l.faults
	}
	target.Elem().Set(v)
	return nil
}

// loader gathers what the sources give and what is wrong with it.
type loader struct {
	root   *group
	path   string          // of the YAML file
	given  map[string]bool // keys that some source has set
	faults Faults
}

// fault notes a problem; it is a sentence without its subject, the key.
func (l *loader) fault(key, format string, args ...any) {
	l.faults = append(l.faults, Fault{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// faulty reports whether key already has a fault.
func (l *loader) faulty(key string) bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Key == key })
}

// presets sets the defaults below g in v, a struct.
func (g *group) presets(v reflect.Value) {
	for _, f := range g.fields {
		switch at := v.FieldByIndex(f.index); {
		case f.kind == section:
			f.group.presets(at)
		case f.preset != "":
			f.parse(f.preset, at) // schemaOf has tried it
		}
	}
}

// required reports the settings that nobody has set and somebody must.
func (l *loader) required(v reflect.Value) {
	l.root.leaves("", v, func(f *field, key string, v reflect.Value) {
		missing := !l.given[key]
		switch f.kind {
		case text, list, table:
			missing = v.Len() == 0
		default:
		}
		if !f.required || !missing || l.faulty(key) {
			return
		}
		switch {
		case f.env == "":
			l.fault(key, "is required in the configuration file")
		case f.secret:
			l.fault(key, "is required; %s or %s can set it", f.env, f.fileEnv())
		default:
			l.fault(key, "is required; %s can set it", f.env)
		}
	})
}

// validate asks every Validator and masks the secrets in its answers.
func (l *loader) validate(v reflect.Value) {
	var found []Fault
	l.root.validate("", v, &found)
	var secrets []string
	l.root.leaves("", v, func(f *field, _ string, v reflect.Value) {
		switch {
		case f.secret && f.kind == text:
			secrets = append(secrets, v.String())
		case f.secret:
			for i := range v.Len() {
				secrets = append(secrets, v.Index(i).String())
			}
		}
	})
	mask := masker(secrets)
	known := len(l.faults)
	for _, f := range found {
		f.Problem = mask.Replace(f.Problem)
		if slices.ContainsFunc(l.faults[:known], func(o Fault) bool { return o.Key == f.Key }) || slices.Contains(l.faults, f) {
			continue // said already, or by a method that embedding promotes
		}
		l.faults = append(l.faults, f)
	}
}

// shortest is the length in bytes from which a secret is masked in a
// Validator's sentence; a shorter one is part of many words.
const shortest = 4

// masker replaces secrets, as they are and as Go quotes them, longest first.
func masker(secrets []string) *strings.Replacer {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		if len(s) < shortest {
			continue
		}
		quoted := strconv.Quote(s)
		pairs = append(pairs, s, masked, quoted[1:len(quoted)-1], masked)
	}
	return strings.NewReplacer(pairs...)
}

// validate gathers what the Validators in v, the struct of g, say.
func (g *group) validate(prefix string, v reflect.Value, found *[]Fault) {
	ask := func(v reflect.Value) {
		if val, ok := v.Addr().Interface().(Validator); ok {
			for _, f := range val.Validate() {
				f.Key = join(prefix, f.Key)
				*found = append(*found, f)
			}
		}
	}
	ask(v)
	for _, index := range g.embedded {
		ask(v.FieldByIndex(index))
	}
	for _, f := range g.fields {
		at, key := v.FieldByIndex(f.index), join(prefix, f.name)
		switch f.kind {
		case section:
			f.group.validate(key, at, found)
		case table:
			for _, name := range names(at) {
				entry := reflect.New(f.entry).Elem() // a map's entries have no address
				entry.Set(at.MapIndex(name))
				f.group.validate(join(key, name.String()), entry, found)
			}
		default:
		}
	}
}

// readFile reads a file of bounded size. Its errors do not name the file.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, cause(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return data, nil
}
