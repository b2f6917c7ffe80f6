package tenants

import (
	"time"

	"gatehouse/internal/tenants/field"
)

// Owner is a person or group that answers for tenants.
type Owner struct {
	Email       string // identifies the owner
	Name        string
	Institution string

	CreateTime     time.Time
	LastUpdateTime time.Time
}

// Check reports the first field that breaks a rule, as an apierr.Invalid.
func (o Owner) Check() error {
	if err := field.Email("email", o.Email); err != nil {
		return err
	}
	if err := field.Text("name", o.Name, 80); err != nil {
		return err
	}
	return field.Text("institution", o.Institution, 80)
}
