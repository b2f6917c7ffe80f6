package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"gatehouse/internal/config"
	"gatehouse/internal/program"
	"gatehouse/internal/tenants"
)

// settings configure the registry, from a YAML file and the environment.
type settings struct {
	program.Settings

	Authenticator authenticatorSettings `key:"authenticator"`
	Bootstrap     bootstrapSettings     `key:"bootstrap"`
}

// authenticatorSettings say where roles are asked for.
type authenticatorSettings struct {
	URL             string `key:"url" env:"GATEHOUSE_AUTHENTICATOR_URL" doc:"Where the authenticator of the primary site is, without the path; it knows who may write. Empty: hardly anybody may."`
	ServicePassword string `key:"service_password" env:"GATEHOUSE_SERVICE_PASSWORD" secret:"true" doc:"Password of the service account tenants; needed with url."`
}

// Validate implements config.Validator.
func (a authenticatorSettings) Validate() []config.Fault {
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "" && a.ServicePassword == "":
		return nil
	case a.URL == "":
		return []config.Fault{{Key: "url", Problem: "is required with service_password"}}
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "":
		return []config.Fault{{Key: "url", Problem: "must be an http or https URL without a path"}}
	case a.ServicePassword == "":
		return []config.Fault{{Key: "service_password", Problem: "is required with url"}}
	}
	return nil
}

// bootstrapSettings are the first records of an empty registry.
type bootstrapSettings struct {
	SiteID        string   `key:"site_id" env:"GATEHOUSE_SITE_ID" doc:"Id of the primary site, made with its administrative tenant if absent; empty: nothing is made, and the rest of bootstrap is not looked at."`
	SiteBaseURL   string   `key:"site_base_url" env:"GATEHOUSE_SITE_BASE_URL" doc:"Base URL of the primary site; empty: admin_base_url without the label of the administrative tenant."`
	Template      string   `key:"tenant_base_url_template" env:"GATEHOUSE_TENANT_BASE_URL_TEMPLATE" doc:"Address of any tenant at the primary site, with ${tenant_id} in it; empty: admin_base_url with that in place of the label."`
	Services      []string `key:"services" env:"GATEHOUSE_SITE_SERVICES" doc:"Services that the primary site runs; empty: all that Tapis has."`
	AdminTenantID string   `key:"admin_tenant_id" env:"GATEHOUSE_ADMIN_TENANT_ID" default:"admin" doc:"Administrative tenant of the primary site."`
	AdminBaseURL  string   `key:"admin_base_url" env:"GATEHOUSE_ADMIN_BASE_URL" doc:"Base URL of the administrative tenant, such as https://admin.tapis.example.org."`
	AdminUser     string   `key:"admin_user" env:"GATEHOUSE_ADMIN_USER" default:"admin" doc:"User who administers the administrative tenant."`
	PublicKey     string   `key:"admin_public_key" env:"GATEHOUSE_ADMIN_PUBLIC_KEY" doc:"Public key of the administrative tenant, PEM; needed when the tenant is made."`
	PublicKeyFile string   `key:"admin_public_key_file" env:"GATEHOUSE_ADMIN_PUBLIC_KEY_FILE" doc:"File with that key, in place of it."`
	OwnerEmail    string   `key:"owner_email" env:"GATEHOUSE_OWNER_EMAIL" doc:"E-mail address of the administrative tenant's owner."`
	OwnerName     string   `key:"owner_name" env:"GATEHOUSE_OWNER_NAME" doc:"Name of the administrative tenant's owner."`
	Institution   string   `key:"owner_institution" env:"GATEHOUSE_OWNER_INSTITUTION" doc:"Institution of the administrative tenant's owner."`
}

// records reads the key's file, if one is named.
func (b bootstrapSettings) records() (tenants.Bootstrap, error) {
	key := b.PublicKey
	if b.PublicKeyFile != "" {
		text, err := os.ReadFile(b.PublicKeyFile)
		if err != nil {
			return tenants.Bootstrap{}, fmt.Errorf("bootstrap.admin_public_key_file: %w", err)
		}
		key = string(text)
	}
	return tenants.Bootstrap{
		SiteID: b.SiteID, SiteBaseURL: b.SiteBaseURL, TenantBaseURLTemplate: b.Template, Services: b.Services,
		AdminTenantID: b.AdminTenantID, AdminBaseURL: b.AdminBaseURL, AdminUser: b.AdminUser, AdminPublicKey: key,
		Owner: tenants.Owner{Email: b.OwnerEmail, Name: b.OwnerName, Institution: b.Institution},
	}, nil
}

// Validate implements config.Validator.
func (b bootstrapSettings) Validate() []config.Fault {
	if b.SiteID == "" {
		return nil
	}
	var faults []config.Fault
	for _, f := range []struct{ key, value string }{
		{"admin_base_url", b.AdminBaseURL},
		{"owner_email", b.OwnerEmail},
		{"owner_name", b.OwnerName},
		{"owner_institution", b.Institution},
	} {
		if f.value == "" {
			faults = append(faults, config.Fault{Key: f.key, Problem: "is required with site_id"})
		}
	}
	if b.PublicKey != "" && b.PublicKeyFile != "" {
		faults = append(faults, config.Fault{Key: "admin_public_key_file", Problem: "cannot be given beside admin_public_key"})
	}
	if faults != nil {
		return faults
	}
	records, err := b.records()
	if err == nil {
		err = records.Check()
	}
	if err != nil {
		return []config.Fault{{Problem: err.Error()}}
	}
	return nil
}

// Validate implements config.Validator.
func (s settings) Validate() []config.Fault { return s.Faults() }

// load reads the settings; GATEHOUSE_CONFIG names the YAML file, if any.
func load(environ []string) (settings, error) {
	var s settings
	err := config.Load(&s, environ)
	return s, err
}
