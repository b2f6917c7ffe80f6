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
	return s.scan(ctx, "read change counter", "SELECT counter FROM registry_changes WHERE id = 1")
}

// lock makes other transactions that want to write wait until the one in ctx
// ends, and returns the counter before it. It counts as a change, and is the
// first statement of every write, so that two writers never wait for each
// other.
func (s changeStore) lock(ctx context.Context) (int64, error) {
	return s.scan(ctx, "lock registry", "UPDATE registry_changes SET counter = counter + 1 WHERE id = 1 RETURNING counter - 1")
}

func (s changeStore) scan(ctx context.Context, doing, statement string) (int64, error) {
	var counter int64
	result := s.db.Conn(ctx).Raw(statement).Scan(&counter)
	if result.Error != nil {
		return 0, apierr.Wrap(result.Error, doing)
	}
	if result.RowsAffected == 0 {
		return 0, apierr.Wrap(errNoCounter, doing)
	}
	return counter, nil
}
