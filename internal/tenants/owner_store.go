package tenants

import "gatehouse/internal/database"

type ownerRow struct {
	Email          string `gorm:"primaryKey"`
	Name           string
	Institution    string
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

// TableName implements GORM's Tabler.
func (ownerRow) TableName() string { return "owners" }

func newOwnerRow(o Owner) ownerRow {
	return ownerRow{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		CreateTime: database.At(o.CreateTime), LastUpdateTime: database.At(o.LastUpdateTime),
	}
}

func (r ownerRow) record() Owner {
	return Owner{
		Email: r.Email, Name: r.Name, Institution: r.Institution,
		Stamps: Stamps{CreateTime: r.CreateTime.Time(), LastUpdateTime: r.LastUpdateTime.Time()},
	}
}
