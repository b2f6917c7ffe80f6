package history

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
)

// Change is a field of a record with its values before and after an update, as
// JSON has them.
type Change struct {
	Field     string
	Prev, New any
}

// Entry is one update of a record.
type Entry struct {
	ID      string // of the record
	At      time.Time
	By      string          // user@tenant, or what made the update
	Updates json.RawMessage // an object: {"field": {"prev": …, "new": …}}
}

// Store is the history of one resource.
type Store struct {
	db     *database.DB
	table  string
	column string // of the record's id, which responses call it by, too
}

// New returns the history that is kept in a table whose column names the record.
func New(db *database.DB, table, column string) Store {
	return Store{db: db, table: table, column: column}
}

// values are those of one field in the JSON text of an entry.
type values struct {
	Prev any `json:"prev"`
	New  any `json:"new"`
}

// Add notes an update of the record with the id.
func (s Store) Add(ctx context.Context, id string, at time.Time, by string, changes []Change) error {
	updates := make(map[string]values, len(changes))
	for _, c := range changes {
		v := values{Prev: c.Prev, New: c.New}
		if c.Field == "status" { // upper case, as responses have it
			v = values{Prev: upper(c.Prev), New: upper(c.New)}
		}
		updates[c.Field] = v
	}
	text, err := json.Marshal(updates)
	if err != nil {
		return apierr.Wrap(err, "encode history")
	}
	err = s.db.Conn(ctx).Table(s.table).Create(map[string]any{
		s.column: id, "update_time": database.At(at), "updated_by": by, "updates": string(text),
	}).Error
	if err != nil {
		return apierr.Wrap(err, "insert into "+s.table)
	}
	return nil
}

func upper(value any) any {
	if text, ok := value.(string); ok {
		return strings.ToUpper(text)
	}
	return value
}

// Of returns the updates of the record with the id, oldest first.
func (s Store) Of(ctx context.Context, id string) ([]Entry, error) {
	var rows []struct {
		UpdateTime database.Micros
		UpdatedBy  string
		Updates    string
	}
	err := s.db.Conn(ctx).Table(s.table).Select("update_time", "updated_by", "updates").
		Where(s.column+" = ?", id).Order("id").Find(&rows).Error
	if err != nil {
		return nil, apierr.Wrap(err, "read "+s.table)
	}
	entries := make([]Entry, len(rows))
	for i, row := range rows {
		entries[i] = Entry{ID: id, At: row.UpdateTime.Time(), By: row.UpdatedBy, Updates: json.RawMessage(row.Updates)}
	}
	return entries, nil
}
