package database

import (
	"fmt"

	"gorm.io/gorm"
)

// Done ends a statement of GORM: the error of one that failed tells what it
// was doing.
func Done(doing string, statement *gorm.DB) error {
	if statement.Error != nil {
		return fmt.Errorf("%s: %w", doing, statement.Error)
	}
	return nil
}

// One is Done for a statement about one row, which need not be there; it
// reports whether it was.
func One(doing string, statement *gorm.DB) (bool, error) {
	return statement.RowsAffected == 1, Done(doing, statement)
}
