package prepared

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// Write answers the request with a, in the form its headers ask for.
func (a *Answer) Write(c *gin.Context) {
	status, body := a.choose(c.Request, c.Writer.Header())
	send(c, status, body)
}

// WriteTo is Write for an answer that was chosen by who asks, which the named
// request headers tell: only the asker may keep it.
func (a *Answer) WriteTo(c *gin.Context, who ...string) {
	header := c.Writer.Header()
	for _, name := range who {
		header.Add("Vary", name)
	}
	status, body := a.choose(c.Request, header)
	header["Cache-Control"] = privateControl
	send(c, status, body)
}

func send(c *gin.Context, status int, body []byte) {
	if status == http.StatusNotModified {
		c.Status(status)
		return
	}
	httpapi.Bytes(c, status, body)
}
