package tenantconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/seal"
)

// mask stands for a secret wherever settings are shown, and for the stored
// one where they are sent.
const mask = "********"

// isSecret reports whether a member of this name is a secret wherever it is;
// the schemas call the same ones writeOnly.
func isSecret(name string) bool {
	switch name {
	case "client_secret", "jwt_decode_key", "privacy_idea_client_key", "privacy_idea_jwt",
		"impers_oauth_client_id", "impers_oauth_client_secret", "impersadmin_username", "impersadmin_password":
		return true
	}
	return false
}

// secret is a secret text within a member of the settings.
type secret struct {
	at    string         // where it is, which seals it there: idps go by their id, since their order may change
	owner map[string]any // the object that it is in
	name  string
}

func (s secret) value() string {
	text, _ := s.owner[s.name].(string) // secretsIn finds nothing else
	return text
}

// secretsIn finds the secrets in v, which is at a place, in a fixed order.
func secretsIn(at string, v any) []secret {
	var all []secret
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			here := at + "/" + name
			if _, isText := v[name].(string); isText && isSecret(name) {
				all = append(all, secret{at: here, owner: v, name: name})
				continue
			}
			all = append(all, secretsIn(here, v[name])...)
		}
	case []any:
		for i, item := range v {
			here := strconv.Itoa(i)
			if object, ok := item.(map[string]any); ok {
				if id, ok := object["idp_id"].(string); ok {
					here = id
				}
			}
			all = append(all, secretsIn(at+"/"+here, item)...)
		}
	}
	return all
}

// member is one member of the settings, in a form that can be changed.
func member(name string, raw json.RawMessage) (map[string]any, error) {
	object := map[string]any{name: nil}
	if len(raw) == 0 {
		return object, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	object[name] = value
	return object, nil
}

// vault seals, shows and opens the secrets of tenants' settings.
type vault struct{ box *seal.Box }

// seal returns a member as it is to be stored: secrets sealed, and where the
// mask was sent, what is stored already.
func (v vault) seal(tenantID, name string, sent, stored json.RawMessage) (json.RawMessage, error) {
	object, err := member(name, sent)
	if err != nil {
		return nil, apierr.Wrap(err, "read settings that were sent")
	}
	before, err := member(name, stored)
	if err != nil {
		return nil, apierr.Wrap(err, "read settings of tenant "+tenantID)
	}
	old := map[string]secret{}
	for _, s := range secretsIn("", before) {
		old[s.at] = s
	}
	for _, s := range secretsIn("", object) {
		if s.value() != mask {
			s.owner[s.name] = v.box.Seal([]byte(s.value()), "tenant_configs", tenantID, s.at)
			continue
		}
		kept, ok := old[s.at]
		switch {
		case !ok:
			return nil, apierr.Invalidf(
				"The field %s is %s, but none is stored that this could stand for; send the value.", dotted(s.at), mask)
		case !sameAddresses(s.owner, kept.owner):
			// Else who may change settings could have the secret sent to himself.
			return nil, apierr.Invalidf("The field %s must be sent again, because an address beside it changes.", dotted(s.at))
		}
		s.owner[s.name] = kept.value()
	}
	return json.Marshal(object[name])
}

// show returns a stored member with masks for secrets.
func (v vault) show(name string, stored json.RawMessage) (json.RawMessage, error) {
	return v.replace(name, stored, func(secret) (string, error) { return mask, nil })
}

// open returns a stored member with the secrets themselves.
func (v vault) open(tenantID, name string, stored json.RawMessage) (json.RawMessage, error) {
	return v.replace(name, stored, func(s secret) (string, error) {
		plain, err := v.box.Open(s.value(), "tenant_configs", tenantID, s.at)
		return string(plain), err
	})
}

func (v vault) replace(name string, stored json.RawMessage, by func(secret) (string, error)) (json.RawMessage, error) {
	object, err := member(name, stored)
	if err != nil {
		return nil, err
	}
	for _, s := range secretsIn("", object) {
		text, err := by(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dotted(s.at), err)
		}
		s.owner[s.name] = text
	}
	return json.Marshal(object[name])
}

// sameAddresses reports whether two objects agree on where secrets go.
func sameAddresses(a, b map[string]any) bool {
	other := func(name string, _ any) bool { return name != "issuer" && !strings.HasSuffix(name, "_url") }
	a, b = maps.Clone(a), maps.Clone(b)
	maps.DeleteFunc(a, other)
	maps.DeleteFunc(b, other)
	return reflect.DeepEqual(a, b)
}

func dotted(at string) string { return strings.ReplaceAll(strings.TrimPrefix(at, "/"), "/", ".") }
