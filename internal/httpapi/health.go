package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/apierr"
)

// readyTimeout bounds a readiness check, so that a probe gets an answer.
const readyTimeout = 3 * time.Second

// Ready tells whether a service can do its work now; an error says what is
// missing and never carries a secret.
type Ready func(ctx context.Context) error

// MountHealth serves hello (alive) and ready (able to work) below prefix, as
// every Tapis service does.
func MountHealth(r gin.IRoutes, prefix string, ready Ready) {
	Get(r, prefix+"/hello", aliveHandler("Hello from Tapis"))
	Get(r, prefix+"/ready", readyHandler(ready))
}

// MountProbes serves /healthz and /readyz for the whole process.
func MountProbes(r gin.IRoutes, ready Ready) {
	Get(r, "/healthz", aliveHandler("The process is alive."))
	Get(r, "/readyz", readyHandler(ready))
}

func aliveHandler(message string) Handler {
	return func(c *gin.Context) error {
		Quiet(c.Request.Context())
		return Reply(c, http.StatusOK, "", message)
	}
}

func readyHandler(ready Ready) Handler {
	return func(c *gin.Context) error {
		ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
		defer cancel()
		if err := ready(ctx); err != nil {
			e := apierr.New(apierr.Unavailable, "The service is not ready.").Because(err)
			e.RetryAfter = time.Second
			return e
		}
		Quiet(ctx)
		return Reply(c, http.StatusOK, "", "Service is ready.")
	}
}
