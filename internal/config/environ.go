package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/config/spelling"
)

// links matches the variables that Kubernetes and Docker invent for services.
var links = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// linkAddress matches what they put into a variable that ends in _PORT.
var linkAddress = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// environ reads the environment into v.
func (l *loader) environ(src Sources, v reflect.Value) {
	env := map[string]string{}
	for _, pair := range src.Environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	var known, files []string
	l.root.leaves("", v, func(f *field, key string, v reflect.Value) {
		if f.env == "" {
			return
		}
		known = append(known, f.env)
		if f.secret {
			known = append(known, f.fileEnv())
		} else {
			files = append(files, f.fileEnv())
		}
		l.variable(f, key, env, v)
	})
	if src.Prefix == "" {
		return
	}
	var unknown []string
	for name, value := range env {
		if strings.HasPrefix(name, src.Prefix) && !slices.Contains(known, name) && !linked(name, value) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		if slices.Contains(files, name) {
			l.fault(name, "is not a setting: only secrets can be read from a file of their own")
			continue
		}
		l.fault(name, "is not a setting%s", meantVariable(name, src.Prefix, known))
	}
}

// variable sets the field f from the environment, if that gives it.
func (l *loader) variable(f *field, key string, env map[string]string, v reflect.Value) {
	value, source := env[f.env], f.env
	if path := env[f.fileEnv()]; f.secret && path != "" {
		l.given[key] = true
		if value != "" {
			l.fault(key, "is given twice, by %s and %s", f.env, f.fileEnv())
			return
		}
		source = f.fileEnv()
		data, err := readFile(path)
		if err != nil {
			l.fault(key, "cannot be read from the file that %s names: %v", source, err)
			return
		}
		if value = strings.TrimRight(string(data), "\r\n"); value == "" {
			l.fault(key, "cannot be read from the file that %s names: it is empty", source)
			return
		}
	}
	if value == "" {
		return
	}
	l.given[key] = true
	if problem := f.parse(value, v); problem != "" {
		l.fault(key, "%s (%s)", problem, source)
	}
}

// meantVariable guesses which variable an unknown one stands for. The common
// prefix is left out, because it would make all of them alike.
func meantVariable(name, prefix string, known []string) string {
	var rests []string
	for _, k := range known {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			rests = append(rests, rest)
		}
	}
	if near, ok := spelling.Nearest(strings.TrimPrefix(name, prefix), rests); ok {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

// linked reports whether a variable describes a service next door.
func linked(name, value string) bool {
	return links.MatchString(name) || (strings.HasSuffix(name, "_PORT") && linkAddress.MatchString(value))
}
