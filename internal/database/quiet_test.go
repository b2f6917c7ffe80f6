package database_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/internal/database"
)

// Errors are logged once, by whoever answers the request.
func TestAFailedStatementIsReturnedWithoutItsValuesAndNotLogged(t *testing.T) {
	const secret = "s3cr3t-v4lue"
	eachEmpty(t, func(t *testing.T, dsn string) {
		var log bytes.Buffer
		db, err := database.Open(t.Context(), dsn, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		exec(t, db, notesTable)
		if err := insert(t.Context(), db, 1, secret); err != nil {
			t.Fatal(err)
		}
		for want, err := range map[string]error{
			"duplicated": insert(t.Context(), db, 1, secret),
			"nowhere":    db.Conn(t.Context()).Exec("UPDATE nowhere SET name = ?", secret).Error,
			"nothing":    db.Conn(t.Context()).Where("name = ? AND nothing = 1", secret).First(&note{}).Error,
			"not found":  db.Conn(t.Context()).Where("name = ?", secret+"x").First(&note{}).Error,
		} {
			if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), want) {
				t.Errorf("the error shows a value, or misses %q: %v", want, err)
			}
		}
		if log.Len() > 0 {
			t.Errorf("logged:\n%s", &log)
		}
	})
}
