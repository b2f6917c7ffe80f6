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

func TestTheSecurityDocumentHasTheOperationsThatSDKsKnow(t *testing.T) {
	raw, err := openapi.Document("security")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const vault = "/v3/security/vault/secret/"
	for path, want := range map[string]string{
		"POST /v3/security/user/isAdmin": "isAdmin", "POST /v3/security/user/hasRole": "hasRole",
		"POST /v3/security/user/hasRoleAny": "hasRoleAny", "POST /v3/security/user/hasRoleAll": "hasRoleAll",
		"GET /v3/security/user/withRole/{roleName}": "getUsersWithRole", "GET /v3/security/user/roles/{user}": "getUserRoles",
		"GET /v3/security/user/admins/{tenant}": "getAdmins",
		"POST /v3/security/user/grantRole":      "grantRole", "POST /v3/security/user/revokeUserRole": "revokeUserRole",
		"POST /v3/security/user/grantAdminRole": "grantAdminRole", "POST /v3/security/user/revokeAdminRole": "revokeAdminRole",
		"POST /v3/security/role": "createRole", "GET /v3/security/role": "getRoleNames",
		"GET /v3/security/role/{roleName}": "getRoleByName", "DELETE /v3/security/role/{roleName}": "deleteRoleByName",
		"POST " + vault + "validateServicePassword/{secretName}": "validateServicePassword",
		"GET " + vault + "{secretType}/{secretName}":             "readSecret",
		"POST " + vault + "{secretType}/{secretName}":            "writeSecret",
		"GET " + vault + "read/meta/{secretType}/{secretName}":   "readSecretMeta",
		"GET " + vault + "list/meta/{secretType}":                "listSecretMeta",
		"POST " + vault + "delete/{secretType}/{secretName}":     "deleteSecret",
		"POST " + vault + "destroy/{secretType}/{secretName}":    "destroySecret",
		"GET /v3/security/readycheck":                            "readycheck", "GET /v3/security/healthcheck": "checkHealth",
	} {
		method, path, _ := strings.Cut(path, " ")
		operation := spec.Paths.Value(path).GetOperation(method)
		if operation == nil || operation.OperationID != want {
			t.Errorf("%s %s is not %s", method, path, want)
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
