package tenants

import (
	"cmp"
	"context"
	"slices"

	"gorm.io/gorm/clause"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// ldapStore is the table of LDAP connections.
type ldapStore struct {
	db *database.DB
}

type ldapRow struct {
	LDAPID         string `gorm:"column:ldap_id;primaryKey"`
	URL            string
	Port           int
	UseSSL         bool `gorm:"column:use_ssl"`
	UserDN         string
	BindDN         string
	BindCredential string
	AccountType    string
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

// TableName implements GORM's Tabler.
func (ldapRow) TableName() string { return "ldap_connections" }

// all returns the connections, ordered by id.
func (s ldapStore) all(ctx context.Context) ([]LDAPConnection, error) {
	var rows []ldapRow
	if err := s.db.Conn(ctx).Find(&rows).Error; err != nil {
		return nil, apierr.Wrap(err, "read LDAP connections")
	}
	ldaps := make([]LDAPConnection, len(rows))
	for i, row := range rows {
		ldaps[i] = row.connection()
	}
	// Sorted here, because databases differ in how they order letters.
	slices.SortFunc(ldaps, func(a, b LDAPConnection) int { return cmp.Compare(a.ID, b.ID) })
	return ldaps, nil
}

func (s ldapStore) get(ctx context.Context, id string) (LDAPConnection, bool, error) {
	var row ldapRow
	err := s.db.Conn(ctx).Where("ldap_id = ?", id).Take(&row).Error
	if database.IsNotFound(err) {
		return LDAPConnection{}, false, nil
	}
	if err != nil {
		return LDAPConnection{}, false, apierr.Wrap(err, "read LDAP connection")
	}
	return row.connection(), true, nil
}

// put inserts the connection, or overwrites all but the id and create time of
// the one that has its id.
func (s ldapStore) put(ctx context.Context, l LDAPConnection) error {
	row := ldapRow{
		LDAPID: l.ID, URL: l.URL, Port: l.Port, UseSSL: l.UseSSL, UserDN: l.UserDN, BindDN: l.BindDN,
		BindCredential: l.BindCredential, AccountType: string(l.AccountType),
		CreateTime: database.At(l.CreateTime), LastUpdateTime: database.At(l.LastUpdateTime),
	}
	err := s.db.Conn(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "ldap_id"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"url", "port", "use_ssl", "user_dn", "bind_dn", "bind_credential", "account_type", "last_update_time",
		}),
	}).Create(&row).Error
	if err != nil {
		return apierr.Wrap(err, "write LDAP connection")
	}
	return nil
}

func (s ldapStore) remove(ctx context.Context, id string) error {
	if err := s.db.Conn(ctx).Delete(&ldapRow{LDAPID: id}).Error; err != nil {
		return apierr.Wrap(err, "delete LDAP connection")
	}
	return nil
}

func (r ldapRow) connection() LDAPConnection {
	return LDAPConnection{
		ID: r.LDAPID, URL: r.URL, Port: r.Port, UseSSL: r.UseSSL, UserDN: r.UserDN, BindDN: r.BindDN,
		BindCredential: r.BindCredential, AccountType: AccountType(r.AccountType),
		CreateTime: r.CreateTime.Time(), LastUpdateTime: r.LastUpdateTime.Time(),
	}
}
