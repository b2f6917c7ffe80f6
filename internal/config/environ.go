package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/config/spelling"
)

// links matches the variables that Kubernetes and Docker invent for services.
var links = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// linkAddress matches what they put into a variable that ends in _PORT.
var linkAddress = regexp.MustCompile(`^(tcp|udp|sctp)://`)

// environ reads the environment.
func (l *loader) environ(env map[string]string) {
	var known, files []string
	l.schema.values(func(f *field) {
		known = append(known, f.variables()...)
		files = append(files, f.fileEnv())
		l.variable(f, env)
	})
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !strings.HasPrefix(name, prefix), slices.Contains(known, name), linked(name, env[name]):
		case slices.Contains(files, name):
			l.fault(name, "is not a setting: only secrets can be read from a file of their own")
		default:
			l.fault(name, "is not a setting%s", meantVariable(name, known))
		}
	}
}

// variable sets the field f from the environment, if that gives it.
func (l *loader) variable(f *field, env map[string]string) {
	value, source := env[f.env], f.env
	if path := env[f.fileEnv()]; f.secret && path != "" {
		if value != "" {
			l.fault(f.key, "is given twice, by %s and %s", f.env, f.fileEnv())
			return
		}
		source = f.fileEnv()
		data, err := readFile(path)
		if err != nil {
			l.fault(f.key, "cannot be read from the file that %s names: %v", source, err)
			return
		}
		if value = strings.TrimRight(string(data), "\r\n"); value == "" {
			l.fault(f.key, "cannot be read from the file that %s names: it is empty", source)
			return
		}
	}
	if value == "" {
		return
	}
	if problem := f.parse(value, f.in(l.v)); problem != "" {
		l.fault(f.key, "%s (%s)", problem, source)
	}
}

// meantVariable guesses which variable an unknown one stands for. The common
// prefix is left out, because it would make all of them alike.
func meantVariable(name string, known []string) string {
	var rests []string
	for _, k := range known {
		rests = append(rests, strings.TrimPrefix(k, prefix))
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
