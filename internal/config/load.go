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

const (
	// prefix is how our environment variables begin.
	prefix = "GATEHOUSE_"
	// fileVariable names the YAML file.
	fileVariable = prefix + "CONFIG"
	// maxFile bounds the files that are read, in bytes.
	maxFile = 1 << 20
)

// Load fills dst, a pointer to a settings struct, from environ, which has the
// form of os.Environ, and from the YAML file that GATEHOUSE_CONFIG names in
// it. Fields that nobody sets get their default or zero. The error is of type
// Faults, and dst is then left as it was.
func Load(dst any, environ []string) error {
	target := reflect.ValueOf(dst).Elem()
	v := reflect.New(target.Type()).Elem()
	l := &loader{schema: schemaOf(v.Type()), v: v}
	l.schema.values(func(f *field) {
		if f.preset != "" {
			f.parse(f.preset, f.in(v)) // schemaOf has tried it
		}
	})
	env := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	l.path = env[fileVariable]
	delete(env, fileVariable)
	readable := l.path == "" || l.file()
	l.environ(env)
	if readable { // who knows what it would have given
		l.required()
		l.validate()
	}
	if len(l.faults) > 0 {
		return l.faults
	}
	target.Set(v)
	return nil
}

// loader gathers what the sources give and what is wrong with it.
type loader struct {
	schema schema
	v      reflect.Value // the settings struct
	path   string        // of the YAML file
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

// required reports the settings that nobody has set and somebody must.
func (l *loader) required() {
	l.schema.values(func(f *field) {
		if f.required && f.in(l.v).IsZero() && !l.faulty(f.key) {
			l.fault(f.key, "is required; %s can set it", strings.Join(f.variables(), " or "))
		}
	})
}

// validate asks every Validator, the outermost first, and masks the secrets in
// its answers.
func (l *loader) validate() {
	mask := l.masker()
	var found []Fault
	ask := func(prefix string, v reflect.Value) {
		if validator, ok := v.Addr().Interface().(Validator); ok {
			for _, f := range validator.Validate() {
				if key := join(prefix, f.Key); !l.faulty(key) {
					found = append(found, Fault{Key: key, Problem: mask.Replace(f.Problem)})
				}
			}
		}
	}
	ask("", l.v)
	for _, f := range l.schema {
		if f.kind == section {
			ask(f.key, f.in(l.v))
		}
	}
	l.faults = append(l.faults, found...)
}

// shortest is the length in bytes from which a secret is masked in a
// Validator's sentence; a shorter one is part of many words.
const shortest = 4

// masker replaces secrets, as they are and as Go quotes them, longest first.
func (l *loader) masker() *strings.Replacer {
	var secrets []string
	l.schema.values(func(f *field) {
		if s := f.in(l.v); f.secret && s.Len() >= shortest {
			secrets = append(secrets, s.String())
		}
	})
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range secrets {
		quoted := strconv.Quote(s)
		pairs = append(pairs, s, masked, quoted[1:len(quoted)-1], masked)
	}
	return strings.NewReplacer(pairs...)
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
