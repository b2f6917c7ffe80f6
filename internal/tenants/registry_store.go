package tenants

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// changeStore is the one row that counts changes. Triggers on the tables of
// content make it grow, so that changes made by hand count as well.
type changeStore struct {
	db *database.DB
}

var errNoCounter = errors.New("the table registry_changes has lost its row")

func (s changeStore) counter(ctx context.Context) (int64, error) {
	var counter int64
	result := s.db.Conn(ctx).Raw("SELECT counter FROM registry_changes WHERE id = 1").Scan(&counter)
	if result.Error != nil {
		return 0, apierr.Wrap(result.Error, "read change counter")
	}
	if result.RowsAffected == 0 {
		return 0, apierr.Wrap(errNoCounter, "read change counter")
	}
	return counter, nil
}

// lock makes other transactions that want to write wait until the one in ctx
// ends. It counts as a change, and is the first statement of every write, so
// that two writers never wait for each other.
func (s changeStore) lock(ctx context.Context) error {
	result := s.db.Conn(ctx).Exec("UPDATE registry_changes SET counter = counter + 1 WHERE id = 1")
	if result.Error != nil {
		return apierr.Wrap(result.Error, "lock registry")
	}
	if result.RowsAffected == 0 {
		return apierr.Wrap(errNoCounter, "lock registry")
	}
	return nil
}
