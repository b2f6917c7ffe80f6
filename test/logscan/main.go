// Command logscan searches the logs that a run of the tests left behind for
// secrets: go run ./test/logscan FOLDER. It prints where each one stands,
// never the secret, and exits with 1 when it found any or had nothing to scan.
package main

import (
	"fmt"
	"os"

	"gatehouse/internal/testlog"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: logscan FOLDER")
		os.Exit(2)
	}
	report, err := testlog.Scan(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "log scan:", err)
		os.Exit(1)
	}
	for _, finding := range report.Findings {
		fmt.Fprintln(os.Stderr, finding)
	}
	fmt.Printf("log scan: %d secrets looked for in %d logs of %d bytes: %d found\n",
		report.Secrets, report.Files, report.Bytes, len(report.Findings))
	if len(report.Findings) > 0 {
		os.Exit(1)
	}
}
