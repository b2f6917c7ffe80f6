package grants

import (
	"net/http"
	"testing"

	"gatehouse/internal/httpapi"
)

func FuzzCredentialsAgreeWithWhatWasSent(f *testing.F) {
	f.Add("app", "secret", "app", "secret", true)
	f.Add("", "", "app", "secret", false)
	f.Add("a:b", "", "a", "", true)
	f.Fuzz(func(t *testing.T, basicID, basicSecret, id, secret string, withBasic bool) {
		authorization := ""
		if withBasic {
			req := http.Request{Header: http.Header{}}
			req.SetBasicAuth(basicID, basicSecret)
			authorization = req.Header.Get("Authorization")
		}
		params := httpapi.Params{}
		for name, value := range map[string]string{"client_id": id, "client_secret": secret} {
			if value != "" {
				params[name] = value
			}
		}
		got, err := credentialsOf(authorization, params)
		switch {
		case err != nil:
		case got == nil:
			if withBasic || id != "" || secret != "" {
				t.Errorf("credentials were sent and none were found")
			}
		case got.Basic != withBasic:
			t.Errorf("Basic is %v, want %v", got.Basic, withBasic)
		case !withBasic && (got.ID != id || got.Secret != secret):
			t.Errorf("got %+v from the body", got)
		case withBasic && got.ID+":"+got.Secret != basicID+":"+basicSecret:
			t.Errorf("got %+v from Basic", got)
		case withBasic && id != "" && got.ID != id, withBasic && secret != "" && got.Secret != secret:
			t.Errorf("header and body differ and %+v was taken", got)
		}
	})
}
