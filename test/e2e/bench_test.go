package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// BenchmarkServices has the program bench measure the authenticator of a
// centre: tokens a second and CPU for each, with Postgres and a slapd over TLS
// as processes of their own, without nginx.
func BenchmarkServices(b *testing.B) {
	s := startServices(b, direct)
	for b.Loop() {
		bench := exec.CommandContext(b.Context(), "go", "run", "gatehouse/bench", "-tokens", "20000",
			"-at", s.issuerAt, "-host", "localhost:"+s.port, "-pid", fmt.Sprint(s.issuer.cmd.Process.Pid))
		bench.Stdout, bench.Stderr = os.Stdout, os.Stderr
		if err := bench.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
