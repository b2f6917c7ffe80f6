package tenants

type ownerRow struct {
	Email       string `gorm:"primaryKey"`
	Name        string
	Institution string
	Times       timesRow `gorm:"embedded"`
}

// TableName implements GORM's Tabler.
func (ownerRow) TableName() string { return "owners" }

func newOwnerRow(o Owner) ownerRow {
	return ownerRow{
		Email: o.Email, Name: o.Name, Institution: o.Institution,
		Times: newTimesRow(o.Stamps),
	}
}

func (r ownerRow) record() Owner {
	return Owner{
		Email: r.Email, Name: r.Name, Institution: r.Institution,
		Stamps: r.Times.stamps(),
	}
}
