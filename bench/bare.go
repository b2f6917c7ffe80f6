package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// answer is what the bare server writes at a path.
type answer struct {
	Path   string      `json:"path"`
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// startBare starts this program once more, as a bare server of answers.
func startBare(ctx context.Context, answers []answer) (*server, error) {
	return startSelf(ctx, "-bare", func(in io.Writer) error { return json.NewEncoder(in).Encode(answers) })
}

// startSelf starts this program once more, as what the flag says: a server that
// gets its orders on standard input, says where it serves, and ends with its
// input.
func startSelf(ctx context.Context, flag string, order func(in io.Writer) error) (_ *server, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	command := exec.CommandContext(ctx, program, flag) //nolint:gosec // this very program
	command.Stderr = os.Stderr
	in, errIn := command.StdinPipe()
	out, errOut := command.StdoutPipe()
	if err := errors.Join(errIn, errOut, command.Start()); err != nil {
		return nil, fmt.Errorf("start the bare server: %w", err)
	}
	s := &server{process: process{command.Process.Pid}, stop: func() {
		_ = in.Close()
		_ = command.Wait()
	}}
	err = order(in)
	if err == nil {
		s.addr, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start the bare server: %w", err)
	}
	s.addr = strings.TrimSpace(s.addr)
	return s, nil
}

// serveBare reads answers from in, says on out where it serves them, and ends
// when in does. It uses Gin with nothing around the handler, which writes
// bytes that are ready.
func serveBare(ctx context.Context, in io.Reader, out io.Writer) error {
	var answers []answer
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&answers); err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	for _, a := range answers {
		engine.GET(a.Path, func(c *gin.Context) {
			header := c.Writer.Header()
			for name, values := range a.Header {
				header[name] = values
			}
			c.Status(a.Status)
			if len(a.Body) > 0 {
				_, _ = c.Writer.Write(a.Body)
			}
		})
	}
	return serveUntil(ctx, engine, in, out)
}

// serveUntil says on out where it serves, and ends when in does.
func serveUntil(ctx context.Context, handler http.Handler, in io.Reader, out io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return fmt.Errorf("say the address: %w", err)
	}
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, s.Close())
}
