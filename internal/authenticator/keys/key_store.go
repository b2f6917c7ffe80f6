package keys

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm/clause"

	"gatehouse/internal/database"
)

type row struct {
	TenantID     string `gorm:"primaryKey"`
	KID          string `gorm:"column:kid;primaryKey"`
	State        State
	PrivateKey   string // sealed PEM: of the private half, later of the public one, then nothing
	PublicKey    string // PEM as the registry publishes it
	CreateTime   database.Micros
	ActivateTime database.Micros
	RetireTime   database.Micros // when it stopped to sign
	SwitchTime   database.Micros // of a next key: when it is to become active
	LeaveTime    database.Micros // of a retiring key: when it leaves the JWK Set
	EndTime      database.Micros // set: it verifies nothing
	Emergency    bool            // of a next key: the active one ends at the switch
	Version      int64           // of its last change
}

// TableName names the table for GORM.
func (row) TableName() string { return "signing_keys" }

// place is where a row's sealed half belongs.
func (r row) place() string { return r.TenantID + "/" + r.KID }

type store struct{ db *database.DB }

// of returns all keys of one tenant, oldest first.
func (s store) of(ctx context.Context, tenantID string) ([]row, error) {
	var rows []row
	err := s.db.Conn(ctx).Where("tenant_id = ?", tenantID).Order("create_time, kid").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return rows, nil
}

// tenants returns all that have a key.
func (s store) tenants(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.db.Conn(ctx).Model(&row{}).Distinct().Order("tenant_id").Pluck("tenant_id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("read tenants of signing keys: %w", err)
	}
	return ids, nil
}

// due returns the keys whose state is to change by the given time.
func (s store) due(ctx context.Context, now, settled database.Micros) ([]row, error) {
	var rows []row
	err := s.db.Conn(ctx).Select("tenant_id", "kid", "state", "activate_time", "retire_time", "leave_time").
		Where("state IN ('next', 'retiring')"). // as the index says
		Where(`(state = 'next' AND switch_time <= ?)
			OR (state = 'retiring' AND leave_time = 0 AND retire_time <= ?)
			OR (state = 'retiring' AND leave_time > 0 AND leave_time <= ?)`, now, settled, now).
		Order("tenant_id, kid").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read signing keys that are due: %w", err)
	}
	return rows, nil
}

// versioned is a tenant one of whose keys has changed.
type versioned struct {
	TenantID string
	Version  int64
}

// changedSince returns the changes after a version. It reads an index of which
// there is hardly ever anything to read; grouping would tempt the database to
// read the table.
func (s store) changedSince(ctx context.Context, version int64) ([]versioned, error) {
	var changed []versioned
	err := s.db.Conn(ctx).Model(&row{}).Where("version > ?", version).Find(&changed).Error
	if err != nil {
		return nil, fmt.Errorf("read changes of signing keys: %w", err)
	}
	return changed, nil
}

var (
	errUnchanged = errors.New("nothing to change")
	errNoCounter = errors.New("the table signing_key_changes has lost its row")
)

// change lets decide look at the keys of a tenant and stores the rows that it
// returns, in their order, in one transaction. All changes of all processes
// wait for each other at the counter, so that what decide has seen still holds
// when its answer is stored, and versions become visible in their order. The
// indexes signing_keys_one_active and signing_keys_one_next hold whatever
// decide does.
func (s store) change(ctx context.Context, tenantID string, decide func(rows []row) []row) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		tx := s.db.Conn(ctx)
		counted := tx.Exec("UPDATE signing_key_changes SET version = version + 1 WHERE id = 1")
		if counted.Error != nil {
			return fmt.Errorf("count change: %w", counted.Error)
		}
		var version int64
		read := tx.Raw("SELECT version FROM signing_key_changes WHERE id = 1").Scan(&version)
		if read.Error != nil {
			return fmt.Errorf("read version: %w", read.Error)
		}
		if counted.RowsAffected != 1 || read.RowsAffected != 1 {
			return errNoCounter
		}
		rows, err := s.of(ctx, tenantID)
		if err != nil {
			return err
		}
		changed := decide(rows)
		if len(changed) == 0 {
			return errUnchanged
		}
		for _, r := range changed {
			r.Version = version
			err := tx.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "tenant_id"}, {Name: "kid"}}, UpdateAll: true,
			}).Create(&r).Error
			if err != nil {
				return fmt.Errorf("store signing key %s: %w", r.KID, err)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("change signing keys of tenant %s: %w", tenantID, err)
	}
	return nil
}

const proofTable = "master_key_proof"

type proofRow struct {
	ID     int
	Sealed string
}

// TableName names the table for GORM.
func (proofRow) TableName() string { return proofTable }

// proof returns what the master key has sealed; false when there is nothing yet.
func (s store) proof(ctx context.Context) (sealed string, found bool, err error) {
	var r proofRow
	found, err = database.One("read proof of the master key", s.db.Conn(ctx).Limit(1).Find(&r))
	return r.Sealed, found, err
}

// insertProof writes the proof unless there is one.
func (s store) insertProof(ctx context.Context, sealed string) error {
	return database.Done("write proof of the master key",
		s.db.Conn(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&proofRow{ID: 1, Sealed: sealed}))
}
