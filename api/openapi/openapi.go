// Package openapi carries the OpenAPI documents of the services, one YAML file
// each. They are written by hand, served by the programs, and every answer in
// the services' tests is checked against them.
package openapi

import (
	"embed"
	"fmt"
)

//go:embed *.yaml
var documents embed.FS

// Document returns the document of a service, for example "tenants".
func Document(name string) ([]byte, error) {
	b, err := documents.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no OpenAPI document named %q", name)
	}
	return b, nil
}
