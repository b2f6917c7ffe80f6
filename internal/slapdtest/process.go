package slapdtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// run starts the process and waits until both ports answer.
func (s *Server) run() error {
	var diagnostics bytes.Buffer
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The death signal comes when the thread ends that started the process,
		// so this thread must stay for as long: a test that is killed takes its
		// server with it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		//nolint:gosec // the copy of slapd and the files that Start made
		cmd := exec.CommandContext(s.t.Context(), s.program, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"),
			"-h", fmt.Sprintf("ldap://%s ldaps://%s", s.plain, s.tls))
		cmd.Stderr = &diagnostics
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		err := cmd.Start()
		if err == nil {
			s.process = cmd.Process
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start slapd: %w", err)
	}
	s.done = done
	for deadline := time.Now().Add(ready); ; time.Sleep(5 * time.Millisecond) {
		select {
		case <-done:
			return fmt.Errorf("slapd ended at once: %s", diagnostics.String())
		default:
		}
		if answers(s.t.Context(), s.plain) && answers(s.t.Context(), s.tls) {
			return nil
		}
		if time.Now().After(deadline) {
			s.kill()
			return errors.New("slapd does not answer")
		}
	}
}

func answers(ctx context.Context, addr string) bool {
	c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// Connections returns how many connections to the server are established, as
// the operating system counts them at its side.
func (s *Server) Connections() int {
	s.t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		s.t.Fatalf("slapdtest: %v", err)
	}
	const established = "01"
	peers := map[string]bool{} // The table can name one twice while it changes.
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && fields[3] == established && (fields[1] == kernelAddr(s.plain) || fields[1] == kernelAddr(s.tls)) {
			peers[fields[2]] = true
		}
	}
	return len(peers)
}

// kernelAddr writes an address on 127.0.0.1 as /proc/net/tcp does.
func kernelAddr(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	n, _ := strconv.Atoi(port)
	return fmt.Sprintf("0100007F:%04X", n)
}
