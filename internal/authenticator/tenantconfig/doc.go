// Package tenantconfig holds what each tenant permits: grants, lifetimes,
// rotation, and where its people are. A tenant without settings of its own has
// the defaults. docs/tenant-configuration.md describes every setting.
//
// Settings are kept as one JSON document a tenant, in which every secret is
// sealed; schemas say what may stand in it. Acting on the settings belongs to
// those who read them; which tenant a request is for belongs to tenancy, who
// administers it to the Security Kernel.
package tenantconfig
