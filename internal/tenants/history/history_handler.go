package history

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
	"gatehouse/internal/responsecache"
	"gatehouse/internal/tenants/field"
)

// Reply answers the request with those updates of the record that the window
// asks for, oldest first.
func (s Store) Reply(c *gin.Context, id string, window httpapi.Window, message string) error {
	ctx := c.Request.Context()
	entries, err := s.Of(ctx, id)
	if err != nil {
		return err
	}
	updates := make([]map[string]any, len(entries))
	for i, e := range entries {
		updates[i] = map[string]any{s.column: e.ID, "update_time": field.Time(e.At), "updated_by": e.By, "updates": e.Updates}
	}
	return httpapi.JSON(c, http.StatusOK, responsecache.Page(ctx, updates, window, message))
}
