package tenants

import "gatehouse/internal/tenants/field"

// ownerAnswer is an owner on the wire. All members are always there.
type ownerAnswer struct {
	Email          string `json:"email"`
	Name           string `json:"name"`
	Institution    string `json:"institution"`
	CreateTime     string `json:"create_time"`
	LastUpdateTime string `json:"last_update_time"`
}

func newOwnerAnswer(o Owner) ownerAnswer {
	return ownerAnswer{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		CreateTime: field.Time(o.CreateTime), LastUpdateTime: field.Time(o.LastUpdateTime),
	}
}
