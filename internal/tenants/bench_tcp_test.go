package tenants

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"gatehouse/internal/httpapi"
)

// overTCP measures h behind net/http on the loopback interface, with clients
// that keep their connection and do next to nothing themselves.
func overTCP(b *testing.B, h http.Handler) {
	b.Helper()
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		answers := bufio.NewReaderSize(conn, 64<<10)
		for pb.Next() {
			if _, err := io.WriteString(conn, "GET /v3/tenants HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				b.Error(err)
				return
			}
			if err := skipAnswer(answers); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func skipAnswer(r *bufio.Reader) error {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			break
		}
		if value, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			if _, err := fmt.Sscan(value, &length); err != nil {
				return err
			}
		}
	}
	_, err := r.Discard(length)
	return err
}

// BenchmarkListTenantsOverTCP includes the access log, written as in production.
func BenchmarkListTenantsOverTCP(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = null.Close() })
	s := fortyTenants(b)
	e, err := httpapi.New(httpapi.Options{Version: "test", Log: slog.New(slog.NewJSONHandler(null, nil))})
	if err != nil {
		b.Fatal(err)
	}
	s.Mount(e)
	overTCP(b, e)
}

func BenchmarkBareGinOverTCP(b *testing.B) {
	body := ask(b, engine(b, fortyTenants(b)), http.MethodGet, "/v3/tenants").raw
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.GET("/v3/tenants", func(c *gin.Context) { httpapi.Bytes(c, http.StatusOK, body) })
	overTCP(b, e)
}
