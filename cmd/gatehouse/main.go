// Command gatehouse is a whole Tapis primary site in one process: registry
// and authenticator on one port, with embedded databases and an embedded
// directory of people. It is for first runs, development and tests.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
