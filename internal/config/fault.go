package config

import (
	"strconv"
	"strings"
	"unicode"
)

// Fault is one thing that is wrong with the settings.
type Fault struct {
	Key     string // the setting, variable or file that is at fault; from a Validator: relative to its struct
	Problem string // what is wrong, without its value, to be read after the key
}

// String returns the fault as one line.
func (f Fault) String() string {
	if f.Key == "" {
		return oneLine(f.Problem)
	}
	return oneLine(f.Key) + ": " + oneLine(f.Problem)
}

// Faults is the error of Load: everything that is wrong, in the order of the
// sources.
type Faults []Fault

// Error returns one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].String()
	}
	return strings.Join(lines, "\n")
}

// Validator is what a settings struct, or one nested in it, may implement to
// say more than types can. It is asked even if other faults have been found,
// with their fields at the defaults, unless the file cannot be made out; what
// it says of a key that already has a fault is left out.
type Validator interface {
	Validate() []Fault
}

// oneLine returns s, quoted if anything in it could break a line or a terminal.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
