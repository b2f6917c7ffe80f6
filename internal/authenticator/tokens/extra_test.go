package tokens

import (
	"encoding/json"
	"testing"

	"gatehouse/internal/authn"
)

// Whatever is accepted leaves the claims of the mint as they are, for readers
// that ignore letter case too.
func FuzzExtraClaimsReplaceNone(f *testing.F) {
	for _, seed := range []string{
		`{"email":"a@example.org"}`, `{"SUB":"x"}`, `{"tapis/u\u017fername":"x"}`, `{"a":{"sub":"x"},"sub\u0000":1}`,
		`{"e\u0078p":1}`, `{"ttl":1}`, `{"":1}`, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		extra, err := ParseExtra(json.RawMessage(text))
		if err != nil {
			return
		}
		own := accessClaims{
			ID: "id", Issuer: "issuer", Subject: "ada@dev", TenantID: "dev", TokenType: authn.AccessToken, Username: "ada",
			AccountType: authn.UserAccount, TTL: 60, extra: extra,
		}
		content, err := own.signable()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		var back accessClaims
		back.grantClaims = &grantClaims{}
		if err := json.Unmarshal(signed, &back); err != nil {
			return // an extra claim of a grant with another type; what reads it refuses the token
		}
		back.grantClaims, back.extra, own.extra = nil, nil, nil
		if a, b := marshalled(t, own), marshalled(t, back); a != b {
			t.Errorf("%q made\n%s of\n%s", text, b, a)
		}
		var inside presentedAccess
		if err := json.Unmarshal(signed, &inside); err == nil && len(inside.extra.added()) != len(extra) {
			t.Errorf("%q: %d extra claims came back of %d", text, len(inside.extra.added()), len(extra))
		}
	})
}

func marshalled(t *testing.T, c accessClaims) string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
