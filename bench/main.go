// Command bench measures a whole Gatehouse from outside and prints a table:
// `make bench`, or `go run ./bench -h` for its flags. It needs Linux, whose
// /proc it reads.
//
// It builds cmd/gatehouse, starts it as a process of its own with 40 tenants
// in its registry, and asks it over keep-alive connections, each of which
// sends its next request when it has the reply to the last. A phase is warmed
// up before it counts. Every reply is checked, and that no token and no jti
// comes twice; about one signature in fifty is verified with the published
// keys. One wrong reply ends the run with an error.
//
// How to read the table:
//
//   - "signatures" is the figure to compare: the CPU that the server spent on
//     one reply, as a multiple of one bare RS256 signature with a 2048-bit key.
//     This program makes a few such signatures all the while a phase runs and
//     reads the CPU time of their thread alone, so that neighbours, shared
//     cores and cold caches meet both. The quotient then holds on slow and on
//     busy machines.
//   - "by the quiet one" is the same by signatures that were made before,
//     between and after the phases, with both servers idle. It is higher where
//     two busy cores are slower than one.
//   - Rates and latencies hold for one machine and moment only: the program
//     that asks takes its share of the same cores.
//   - The embedded LDAP server and SQLite work inside the measured process,
//     and what they cost is counted.
//   - A reply with an access and a refresh token counts as one token. The
//     refresh grant verifies one signature and makes two.
//   - "bare server" is the floor: a process of this program that only reads the
//     body, binds, signs, records and replies, with the same LDAP server, the
//     same database and the same reply (bare.go).
//   - Codes to exchange, and devices to be approved, are made before a phase. It
//     ends sooner where they run out.
//   - A device that polled twice within five seconds would be told to slow down,
//     so each poll is of another device, and these come from many addresses of
//     127.0.0.0/8 because one gets three codes when many strangers ask at once.
//   - A whole code flow is two requests, the browser's to a person who is signed
//     in and has allowed the client for good, and the client's for the tokens.
//     It counts as one.
//   - Introspection is of a client's own token, the same again and again.
//   - Readers of the JWK Set wait for a look at the database that all who ask
//     within 10 ms share, so one connection gets 100 replies a second whatever
//     they cost, and what the server does by itself meanwhile counts with them.
//   - With -at, -host and -pid an authenticator that runs already is measured,
//     without listings, many tenants and bare server, which would be others
//     than its: `make benchservices` does so with Postgres and slapd.
//   - Whether a token stands is asked at /v3/site-router/tokens/check, which does
//     what every endpoint with a token does, in turns with a bare hello of the
//     same bytes to the same requests. The tokens that were not seen are sent once each.
//   - "1000 tenants, 10000 clients" is another server, seeded in its databases
//     before it starts. Each of its tenants has ten clients, a key (the same),
//     and the people of the tenant dev. Tokens are asked of one tenant after
//     another and through each client, in turns with the same on the server with
//     few tenants; the ratio is of the CPU for a token in signatures.
//   - GET /v3/tenants is compared, in turns, with a bare Gin handler in
//     another process that writes the same bytes under the same headers.
//
// Parts can be measured alone: -parts grants,requests, and of these some by
// the beginning of their names: -parts grants -grants bare. -quick is for trying
// out; its phases are too short for figures to trust.
//
// How to read the program: bench.go runs the parts of a measurement one after
// another, phases.go has the table of what is asked of the authenticator, and
// compare.go what two servers are asked in turns. load.go asks, tokens.go checks
// the replies, signature.go is the yardstick, and report.go prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// options say what is measured, and how long.
type options struct {
	server string        // a built server; empty: build one
	at     string        // address of a running authenticator; empty: start a server
	host   string        // by which that knows the tenant dev
	pid    int           // its process
	parts  []string      // to measure; empty: all
	names  string        // of grants and requests, those to measure, by the beginning; empty: all
	tokens int           // issued before memory is read
	phase  time.Duration // of a grant, after its warm-up
	brief  time.Duration // of another request, after its warm-up
	turn   time.Duration // of one server in a comparison
	turns  int           // of each server
}

// does reports whether a part is to be measured.
func (o options) does(p part) bool {
	return (len(o.parts) == 0 || slices.Contains(o.parts, p.name)) && (o.at == "" || !p.starts)
}

// run is the program: arguments, input and output in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o := options{tokens: 100_000, phase: 5 * time.Second, brief: 2 * time.Second, turn: 500 * time.Millisecond, turns: 8}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print JSON instead of a table")
	quick := flags.Bool("quick", false, "measure briefly and issue 5000 tokens, unless -tokens says otherwise")
	bare := flags.String("bare", "", "be a bare server of this `kind`, answer or issuer; bench starts itself so")
	tokens := flags.Int("tokens", 0, "tokens to issue before memory is read; 100000 unless given")
	flags.StringVar(&o.server, "server", "", "measure this built gatehouse `file` instead of building one")
	flags.StringVar(&o.at, "at", "", "measure the authenticator that runs at this `address`, with -host and -pid")
	flags.StringVar(&o.host, "host", "", "`host` and port of its tenant dev, with the people of cmd/gatehouse")
	flags.IntVar(&o.pid, "pid", 0, "its `process`")
	flags.StringVar(&o.names, "grants", "", "of the grants and requests, measure those only whose `names` begin so")
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	flags.Func("parts", "measure only these `parts`, of "+strings.Join(names, ","), func(text string) error {
		o.parts = strings.Split(text, ",")
		for _, name := range o.parts {
			if !slices.Contains(names, name) {
				return fmt.Errorf("there is no part %q", name)
			}
		}
		return nil
	})
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *quick {
		o.tokens, o.phase, o.brief, o.turn, o.turns = 5000, 500*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond, 3
	}
	if *tokens > 0 {
		o.tokens = *tokens
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() error {
		if *bare != "" {
			return serveBare(ctx, *bare, stdin)
		}
		r, err := measure(ctx, o, stderr)
		switch {
		case err != nil:
			return err
		case *asJSON:
			return r.json(stdout)
		}
		return r.text(stdout)
	}()
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}
