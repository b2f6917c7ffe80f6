package testdb

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/database"
)

// Dump returns all that stands in the database: every column of every row of
// every table, for tests that look for what must not be there.
func Dump(t testing.TB, db *database.DB) string {
	t.Helper()
	conn := db.Conn(t.Context())
	query := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if db.Dialect() == database.Postgres {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()`
	}
	var tables []string
	if err := conn.Raw(query).Scan(&tables).Error; err != nil {
		t.Fatalf("list tables: %v", err)
	}
	var text strings.Builder
	for _, table := range tables {
		var rows []map[string]any
		if err := conn.Table(table).Find(&rows).Error; err != nil {
			t.Fatalf("read table %s: %v", table, err)
		}
		for _, row := range rows {
			fmt.Fprintf(&text, "%s:", table)
			for column, value := range row {
				if b, ok := value.([]byte); ok {
					value = string(b)
				}
				fmt.Fprintf(&text, " %s=%v", column, value)
			}
			text.WriteByte('\n')
		}
	}
	return text.String()
}
