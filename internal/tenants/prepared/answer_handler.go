package prepared

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// Write answers the request with a, in the form its headers ask for.
func (a *Answer) Write(c *gin.Context) {
	status, body := a.choose(c.Request, c.Writer.Header())
	if status == http.StatusNotModified {
		c.Status(status)
		return
	}
	httpapi.Bytes(c, status, body)
}
