package devldap

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// maxFilterDepth bounds how deeply filters may nest.
const maxFilterDepth = 32

var errFilter = errors.New("devldap: not a search filter")

// truth is the three-valued logic of RFC 4511 section 4.5.1.7.
type truth int8

const (
	no truth = iota - 1
	undefined
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// filter is a parsed search filter.
type filter func(e *entry) truth

// inSchema reports whether entries can have the attribute. A filter on any other
// is undefined, so that its negation selects nothing either.
func inSchema(attribute string) bool {
	switch strings.ToLower(attribute) {
	case "objectclass", "ou", "uid", "cn", "sn", "givenname", "mail", "uidnumber", "createtimestamp":
		return true
	}
	return false
}

// parseFilter reads the string form of a filter (RFC 4515).
func parseFilter(s string) (filter, error) {
	f, rest, err := parseItem(s, 0)
	if err != nil || rest != "" {
		return nil, errFilter
	}
	return f, nil
}

// parseItem reads one parenthesized filter and returns what follows it.
func parseItem(s string, depth int) (filter, string, error) {
	if depth > maxFilterDepth || len(s) < 3 || s[0] != '(' {
		return nil, "", errFilter
	}
	switch s[1] {
	case '&', '|':
		return parseSet(s[1], s[2:], depth)
	case '!':
		f, rest, err := parseItem(s[2:], depth+1)
		if err != nil || !strings.HasPrefix(rest, ")") {
			return nil, "", errFilter
		}
		return func(e *entry) truth { return -f(e) }, rest[1:], nil
	}
	body, rest, found := strings.Cut(s[1:], ")")
	if !found {
		return nil, "", errFilter
	}
	f, err := parseMatch(body)
	return f, rest, err
}

// parseSet reads the members of an and or an or, up to its parenthesis.
func parseSet(operator byte, s string, depth int) (filter, string, error) {
	var members []filter
	for strings.HasPrefix(s, "(") {
		f, rest, err := parseItem(s, depth+1)
		if err != nil {
			return nil, "", err
		}
		members = append(members, f)
		s = rest
	}
	if !strings.HasPrefix(s, ")") {
		return nil, "", errFilter
	}
	return combine(operator == '&', members), s[1:], nil
}

// combine returns the conjunction or disjunction of members: the least or the
// greatest of their truths.
func combine(all bool, members []filter) filter {
	return func(e *entry) truth {
		result := truthOf(all)
		for _, member := range members {
			if all {
				result = min(result, member(e))
			} else {
				result = max(result, member(e))
			}
		}
		return result
	}
}

// parseMatch reads one comparison: presence, equality, approximate equality or
// substrings. Orderings and extensible matches are understood and undefined.
func parseMatch(s string) (filter, error) {
	attribute, value, found := strings.Cut(s, "=")
	if !found || attribute == "" {
		return nil, errFilter
	}
	attribute = strings.TrimSuffix(attribute, "~")
	if last := attribute[max(0, len(attribute)-1):]; last == ">" || last == "<" || last == ":" {
		return func(*entry) truth { return undefined }, nil
	}
	if !isAttribute(attribute) {
		return nil, errFilter
	}
	if !inSchema(attribute) {
		return func(*entry) truth { return undefined }, nil
	}
	if value == "*" {
		return func(e *entry) truth { return truthOf(e.folded(attribute) != nil) }, nil
	}
	parts, err := unescapeParts(value)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 {
		wanted := fold(parts[0])
		return func(e *entry) truth { return truthOf(slices.Contains(e.folded(attribute), wanted)) }, nil
	}
	for i := range parts {
		parts[i] = strings.ToLower(parts[i])
	}
	return func(e *entry) truth {
		return truthOf(slices.ContainsFunc(e.folded(attribute), func(v string) bool { return matchesParts(v, parts) }))
	}, nil
}

// unescapeParts splits a value at its stars and decodes the parts.
func unescapeParts(value string) ([]string, error) {
	parts := strings.Split(value, "*")
	for i, part := range parts {
		var b strings.Builder
		for {
			before, after, found := strings.Cut(part, `\`)
			b.WriteString(before)
			if !found {
				break
			}
			if len(after) < 2 {
				return nil, errFilter
			}
			decoded, err := hex.DecodeString(after[:2])
			if err != nil {
				return nil, errFilter
			}
			b.Write(decoded)
			part = after[2:]
		}
		parts[i] = b.String()
	}
	return parts, nil
}

// matchesParts reports whether value begins with the first part, ends with the
// last and has the others between, in order.
func matchesParts(value string, parts []string) bool {
	rest, ok := strings.CutPrefix(value, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
