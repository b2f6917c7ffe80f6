package command_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/command"
)

// TestMain makes the test binary the program that TestSignals sends signals to.
func TestMain(m *testing.M) {
	if os.Getenv("SIGNALS_CHILD") == "" {
		os.Exit(m.Run())
	}
	ctx, stop := command.Signals(context.Background())
	defer stop()
	fmt.Println("started")
	<-ctx.Done()
	fmt.Println("draining")
	time.Sleep(time.Minute)
	fmt.Println("drained")
}

func TestTheFirstSignalEndsTheContextAndTheSecondKills(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "SIGNALS_CHILD=1")
			output, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer child.Process.Kill() //nolint:errcheck // it is dead by then
			lines := bufio.NewScanner(output)
			for _, want := range []string{"started", "draining"} {
				if !lines.Scan() || lines.Text() != want {
					t.Fatalf("the program says %q, want %q", lines.Text(), want)
				}
				time.Sleep(50 * time.Millisecond) // until it has given the signals back
				if err := child.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
			if lines.Scan() {
				t.Errorf("the program says %q after the second signal", lines.Text())
			}
			var exit *exec.ExitError
			if err := child.Wait(); !errors.As(err, &exit) {
				t.Fatalf("the program ended with %v, want to see it killed", err)
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != signal {
				t.Errorf("the program ended with %v, want %v", exit, signal)
			}
		})
	}
}

func TestStopGivesTheSignalsBackWithoutOne(t *testing.T) {
	ctx, stop := command.Signals(t.Context())
	if ctx.Err() != nil {
		t.Fatalf("the context ended with %v before any signal", ctx.Err())
	}
	stop()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("the context says %v, want canceled", ctx.Err())
	}
}
