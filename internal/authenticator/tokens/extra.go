package tokens

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
)

// Extra are claims that whoever asks for a token has added, by name.
type Extra map[string]json.RawMessage

// MaxExtra is the largest size of all extra claims of a token as JSON, in
// bytes.
const MaxExtra = 4 << 10

// reserved are the claims that the mint decides and those that verifiers
// refuse or could take for one of them, as folded writes them. ttl stands
// beside the extra claims inside a refresh token.
var reserved = []string{
	"account_type", "aud", "delegation", "delegation_sub", "exp", "iat", "iss", "jti", "nbf", "sub", "target_site", "tenant",
	"tenant_id", "token_type", "ttl", "username",
	"tapis/access_token", "tapis/account_type", "tapis/delegation", "tapis/delegation_sub", "tapis/initial_ttl", "tapis/target_site",
	"tapis/tenant_id", "tapis/token_type", "tapis/username",
}

// ParseExtra reads the field claims of a request for tokens, a JSON object;
// null and nothing mean none. What it refuses is an error of kind
// apierr.Invalid.
func ParseExtra(text json.RawMessage) (Extra, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var extra Extra
	if err := json.Unmarshal(text, &extra); err != nil {
		return nil, apierr.Invalidf("The field claims must be an object.")
	}
	for name := range extra {
		if alike := folded(name); alike != name && strings.HasPrefix(alike, "tapis/") {
			return nil, apierr.Invalidf("The field claims must write the claim %s like this, in lower case.", alike)
		}
		if i := slices.Index(reserved, folded(name)); i >= 0 {
			return nil, apierr.Invalidf("The field claims must not contain the claim %s.", reserved[i])
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil || compact.Len() > MaxExtra {
		return nil, apierr.Invalidf("The field claims has more than %d bytes as JSON.", MaxExtra)
	}
	return extra, nil
}

// folded writes names alike that a decoder may take for one another:
// encoding/json compares without letter case, by Unicode's simple folding.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// added leaves out the claims that the mint decides itself, which stand
// beside the extra ones inside a refresh token.
func (e Extra) added() Extra {
	rest := Extra{}
	for name, value := range e {
		if !slices.Contains(reserved, folded(name)) {
			rest[name] = value
		}
	}
	return rest
}

// clientID returns the OAuth client that the extra claims name, "" for none:
// another authorization server says so of the tokens that it asks for.
func (e Extra) clientID() string {
	var id string
	if json.Unmarshal(e["tapis/client_id"], &id) != nil {
		return ""
	}
	return id
}
