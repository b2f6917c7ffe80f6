package openapi_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"gatehouse/api/openapi"
)

func TestTheTenantsDocumentIsValid(t *testing.T) {
	raw, err := openapi.Document("tenants")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(spec.OpenAPI, "3.0.") {
		t.Errorf("got OpenAPI %s, want 3.0: generators of clients lag behind", spec.OpenAPI)
	}
}

func TestOperationIDsAreThoseThatSDKsKnow(t *testing.T) {
	raw, err := openapi.Document("tenants")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/v3/sites": "list_sites", "/v3/sites/{site_id}": "get_site",
		"/v3/tenants": "list_tenants", "/v3/tenants/{tenant_id}": "get_tenant",
	} {
		item := spec.Paths.Value(path)
		if item == nil || item.Get == nil || item.Get.OperationID != want {
			t.Errorf("GET %s is not %s", path, want)
		}
	}
}

func TestAnUnknownDocumentIsAnError(t *testing.T) {
	for _, name := range []string{"nothing", "", "../openapi", "tenants.yaml"} {
		if _, err := openapi.Document(name); err == nil {
			t.Errorf("%q: got no error", name)
		}
	}
}
