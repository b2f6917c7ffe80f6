package command

import (
	"context"
	"os/signal"
	"syscall"
)

// Signals returns a context that ends with the first SIGINT or SIGTERM, so
// that the program can finish what it is doing. The second signal kills the
// program at once. stop gives the signals back before.
func Signals(ctx context.Context) (signaled context.Context, stop context.CancelFunc) {
	signaled, stop = signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(signaled, stop) // from then on signals do what they do by default
	return signaled, stop
}
