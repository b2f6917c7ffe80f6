package history

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
	"gatehouse/internal/tenants/field"
)

// Reply answers the request with those updates of the row that the window
// asks for, oldest first.
func (s Store) Reply(c *gin.Context, id string, window httpapi.Window, message string) error {
	ctx := c.Request.Context()
	entries, err := s.Of(ctx, id)
	if err != nil {
		return err
	}
	from, to := min(window.Offset, len(entries)), len(entries)
	if window.Limit >= 0 {
		to = min(from+window.Limit, to)
	}
	rows := make([]map[string]any, 0, to-from)
	for _, e := range entries[from:to] {
		rows = append(rows, map[string]any{s.column: e.ID, "update_time": field.Time(e.At), "updated_by": e.By, "updates": e.Updates})
	}
	answer := httpapi.Success(ctx, rows, message)
	answer.Metadata = window.Page(len(rows), len(entries))
	return httpapi.JSON(c, http.StatusOK, answer)
}
