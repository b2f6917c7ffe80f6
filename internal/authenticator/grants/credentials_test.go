package grants

import "testing"

func TestEverySpellingOfAClientIsOneClient(t *testing.T) {
	for name, test := range map[string]struct {
		sent  Credentials
		id    string
		forms int
	}{
		"plain":            {Credentials{ID: "portal", Secret: "s", Basic: true}, "portal", 1},
		"encoded id":       {Credentials{ID: "%70ortal", Secret: "s", Basic: true}, "portal", 1},
		"encoded secret":   {Credentials{ID: "portal", Secret: "%73", Basic: true}, "portal", 2},
		"plus in the id":   {Credentials{ID: "a+b", Secret: "s", Basic: true}, "a+b", 1},
		"broken encoding":  {Credentials{ID: "a%zz", Secret: "s", Basic: true}, "a%zz", 1},
		"body, not header": {Credentials{ID: "%70ortal", Secret: "%73"}, "%70ortal", 1},
	} {
		t.Run(name, func(t *testing.T) {
			forms := test.sent.forms()
			if len(forms) != test.forms {
				t.Fatalf("%d forms", len(forms))
			}
			for _, f := range forms {
				if f.ID != test.id {
					t.Errorf("id %q", f.ID)
				}
			}
		})
	}
}
