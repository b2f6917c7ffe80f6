package tenants

import (
	"cmp"

	"gatehouse/internal/tenants/field"
)

// Owner is a person or group that answers for tenants.
type Owner struct {
	Email       string // identifies the owner
	Name        string
	Institution string

	Stamps
}

// Owners describes owners.
func Owners() Resource[Owner] {
	return Resource[Owner]{
		Name: "owner", title: "owner", stamps: func(o *Owner) *Stamps { return &o.Stamps },
		validID: func(id string) bool { return field.Email("email", id) == nil },
		Fields: []Field[Owner]{
			{"email", true, func(o *Owner) any { return &o.Email }},
			{"name", false, func(o *Owner) any { return &o.Name }},
			{"institution", false, func(o *Owner) any { return &o.Institution }},
		},
	}
}

// Check reports the first field that breaks a rule, as an apierr.Invalid.
func (o Owner) Check() error {
	return cmp.Or(
		field.Email("email", o.Email), field.Text("name", o.Name, 80), field.Text("institution", o.Institution, 80),
	)
}

// ownerResponse is an owner on the wire. All members are always there.
type ownerResponse struct {
	Email       string `json:"email"`
	Name        string `json:"name"`
	Institution string `json:"institution"`
	timesResponse
}

func (r ownerResponse) id() string { return r.Email }

func newOwnerResponse(o Owner) ownerResponse {
	return ownerResponse{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		timesResponse: newTimesResponse(o.Stamps),
	}
}
