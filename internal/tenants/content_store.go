package tenants

import (
	"context"
	"sort"

	"gorm.io/gorm"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/tenants/history"
)

// Content is all that the registry knows, except for the history of its
// records: every record, each type ordered by its id.
type Content struct {
	Sites   []Site
	Owners  []Owner
	LDAPs   []LDAPConnection
	Tenants []Tenant
}

// tables are where the registry is stored.
type tables struct {
	sites         table[Site]
	owners        table[Owner]
	ldaps         table[LDAPConnection]
	tenants       table[Tenant]
	siteHistory   history.Store
	tenantHistory history.Store
}

func newTables(db *database.DB) tables {
	return tables{
		sites:         newTable(db, Sites(), newSiteRow, siteRow.record, "SiteID", "IsPrimary"),
		owners:        newTable(db, Owners(), newOwnerRow, ownerRow.record, "Email"),
		ldaps:         newTable(db, LDAPs(), newLDAPRow, ldapRow.record, "LDAPID"),
		tenants:       newTable(db, Tenants(), newTenantRow, tenantRow.record, "TenantID", "SiteID"),
		siteHistory:   history.New(db, "site_history", "site_id"),
		tenantHistory: history.New(db, "tenant_history", "tenant_id"),
	}
}

// content reads all records. They are of one moment when no write can come
// between, or when the reader makes sure that none has.
func (t tables) content(ctx context.Context) (c Content, err error) {
	if c.Sites, err = t.sites.all(ctx); err != nil {
		return Content{}, err
	}
	if c.Owners, err = t.owners.all(ctx); err != nil {
		return Content{}, err
	}
	if c.LDAPs, err = t.ldaps.all(ctx); err != nil {
		return Content{}, err
	}
	c.Tenants, err = t.tenants.all(ctx)
	return c, err
}

// table stores the records of one resource.
type table[R any] struct {
	Resource[R]

	db    *database.DB
	row   func(record R) any // a pointer to the row that holds it
	find  func(db *gorm.DB) ([]R, error)
	fixed []string // columns that an update leaves alone
}

// newTable returns the table whose rows are of type Row.
func newTable[R, Row any](
	db *database.DB, res Resource[R], newRow func(R) Row, record func(Row) R, fixed ...string,
) table[R] {
	return table[R]{
		Resource: res, db: db, fixed: append(fixed, "CreateTime", "CreatedBy"),
		row: func(r R) any {
			row := newRow(r)
			return &row
		},
		find: func(db *gorm.DB) ([]R, error) {
			var rows []Row
			if err := db.Find(&rows).Error; err != nil {
				return nil, err
			}
			records := make([]R, len(rows))
			for i, row := range rows {
				records[i] = record(row)
			}
			return records, nil
		},
	}
}

// all returns every record, ordered by id.
func (t table[R]) all(ctx context.Context) ([]R, error) {
	records, err := t.find(t.db.Conn(ctx))
	if err != nil {
		return nil, apierr.Wrap(err, "read "+t.title+"s")
	}
	// Sorted here, because databases differ in how they order letters.
	sort.Slice(records, func(i, j int) bool { return t.ID(&records[i]) < t.ID(&records[j]) })
	return records, nil
}

func (t table[R]) insert(ctx context.Context, record R) error {
	return t.written(record, t.db.Conn(ctx).Create(t.row(record)).Error, "insert ")
}

// update stores every field but the fixed ones and how the record came to be.
func (t table[R]) update(ctx context.Context, record R) error {
	result := t.db.Conn(ctx).Select("*").Omit(t.fixed...).Updates(t.row(record))
	if result.Error == nil && result.RowsAffected == 0 {
		return missing(t.title, t.ID(&record))
	}
	return t.written(record, result.Error, "update ")
}

func (t table[R]) written(record R, err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case database.IsDuplicate(err):
		return apierr.New(apierr.Conflict, "The %s %s has a field that must be unique and is in use.",
			t.title, t.ID(&record)).Because(err)
	}
	return apierr.Wrap(err, doing+t.title)
}

// remove deletes a record; that nothing names it is for the caller to see.
func (t table[R]) remove(ctx context.Context, id string) error {
	var none R
	if err := t.db.Conn(ctx).Where(t.Fields[0].Name+" = ?", id).Delete(t.row(none)).Error; err != nil {
		return apierr.Wrap(err, "delete "+t.title)
	}
	return nil
}

// timesRow are the columns of every table.
type timesRow struct {
	CreateTime     database.Micros
	LastUpdateTime database.Micros
}

func newTimesRow(s Stamps) timesRow {
	return timesRow{CreateTime: database.At(s.CreateTime), LastUpdateTime: database.At(s.LastUpdateTime)}
}

func (r timesRow) stamps() Stamps {
	return Stamps{CreateTime: r.CreateTime.Time(), LastUpdateTime: r.LastUpdateTime.Time()}
}

// stampsRow are those, and the authors.
type stampsRow struct {
	Times         timesRow `gorm:"embedded"`
	CreatedBy     string
	LastUpdatedBy string
}

func newStampsRow(s Stamps) stampsRow {
	return stampsRow{Times: newTimesRow(s), CreatedBy: s.CreatedBy, LastUpdatedBy: s.LastUpdatedBy}
}

func (r stampsRow) stamps() Stamps {
	s := r.Times.stamps()
	s.CreatedBy, s.LastUpdatedBy = r.CreatedBy, r.LastUpdatedBy
	return s
}
