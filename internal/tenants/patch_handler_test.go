package tenants

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// patchOf reads a body as the API does.
func patchOf[R any](k Resource[R], body string) (Patch[R], error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body))
	c.Request.Header.Set("Content-Type", "application/json")
	return readPatch(c, k)
}

func TestAPatchHoldsWhatIsGivenAndNothingElse(t *testing.T) {
	p, err := patchOf(Tenants(),
		`{"description":null,"owner":"a@b","token_gen_services":["x"],"OWNER_":"c","Admin_User":"no","self":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "given", p.Given, map[string]bool{"description": true, "owner": true, "token_gen_services": true})
	equal(t, "values", p.Values, Tenant{Owner: "a@b", TokenGenServices: []string{"x"}})
}

func FuzzBodiesOfWrites(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"tenant_id":"a","status":"active","token_gen_services":[null]}`, `{"port":1e99,"use_ssl":null}`,
		`{"services":{"a":[]}}`,
		`{"description":"\ud800","owner":"\u0000"}`, `{"primary":"true","port":"1"}`, `[{}]`, `{"a":` + strings.Repeat("[",
			100), "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, read := range []func() error{
			func() error { _, err := patchOf(Sites(), body); return err },
			func() error { _, err := patchOf(Owners(), body); return err },
			func() error { _, err := patchOf(LDAPs(), body); return err },
			func() error {
				p, err := patchOf(Tenants(), body)
				if err != nil {
					return err
				}
				for name := range p.Given {
					if !strings.Contains(body, name[:1]) && !strings.Contains(body, `\u`) {
						t.Errorf("%s is given by %q", name, body)
					}
				}
				return readTenant(&p)
			},
		} {
			if err := read(); err != nil && !apierr.Is(err, apierr.Invalid) && !apierr.Is(err, apierr.TooLarge) {
				t.Errorf("%q: %v", body, err)
			}
		}
	})
}
