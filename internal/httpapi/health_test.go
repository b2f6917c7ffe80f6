package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/httpapi"
)

func TestHelloAndReadySayThatTheServiceIsWell(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	well := func(context.Context) error { return nil }
	httpapi.MountHealth(e, "/v3/oauth2", well)
	httpapi.MountProbes(e, well)
	for path, message := range map[string]string{
		"/v3/oauth2/hello": "Hello from Tapis", "/v3/oauth2/ready": "Service is ready.",
		"/healthz": "The process is alive.", "/readyz": "Service is ready.",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := e.do(method, path, "")
			if got := read(t, w); w.Code != http.StatusOK || string(got.Result) != `""` || got.Message != message ||
				got.Status != "success" {
				t.Errorf("%s %s: status %d, body %s", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestAServiceThatCannotWorkIsAliveAndNotReady(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	ill := func(context.Context) error { return errors.New("dial tcp 10.0.0.7:5432: connection refused") }
	httpapi.MountHealth(e, "/v3/oauth2", ill)
	httpapi.MountProbes(e, ill)
	for _, path := range []string{"/v3/oauth2/hello", "/healthz"} {
		if w := e.do("GET", path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	for _, path := range []string{"/v3/oauth2/ready", "/readyz"} {
		w := e.do("GET", path, "")
		checkFailure(t, w, http.StatusServiceUnavailable)
		if strings.Contains(w.Body.String(), "10.0.0.7") || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: headers %v, body %s", path, w.Header(), w.Body)
		}
		if line := e.log.line(t, "dependency away"); !strings.Contains(fmt.Sprint(line["error"]), "10.0.0.7") {
			t.Errorf("%s: the cause is not logged: %v", path, line)
		}
	}
}

func TestAReadinessCheckHasLittleTime(t *testing.T) {
	e := newEdge(t, httpapi.Options{})
	httpapi.MountProbes(e, func(ctx context.Context) error {
		deadline, has := ctx.Deadline()
		if left := time.Until(deadline); !has || left > 3*time.Second {
			t.Errorf("the check may take %s (deadline: %t)", left, has)
		}
		return context.DeadlineExceeded
	})
	checkFailure(t, e.do("GET", "/readyz", ""), http.StatusServiceUnavailable)
}
