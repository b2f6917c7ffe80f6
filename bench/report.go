package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// The most megabytes that may be resident after 100,000 tokens, and with many
// tenants when each was asked for something.
const (
	memoryTarget      = 60
	largeMemoryTarget = 150
)

// table has rows of one name and figures, which the format writes below the
// headings.
type table struct {
	Headings string  `json:"headings"`
	Rows     [][]any `json:"rows"`
	format   string
}

func (t *table) add(cells ...any) { t.Rows = append(t.Rows, cells) }

func (t *table) write(w io.Writer) {
	if len(t.Rows) > 0 {
		fmt.Fprint(w, "\n", t.Headings, "\n")
	}
	for _, row := range t.Rows {
		fmt.Fprintf(w, "%-22s\t"+t.format+"\n", row...)
	}
}

// report is all that was measured. Times are of CPU or latency.
type report struct {
	Go        string    `json:"go"`
	Cores     int       `json:"cores"`
	Seconds   float64   `json:"seconds"`
	Signature []float64 `json:"bare_signature_cpu_ms"` // median, least and most
	Samples   int       `json:"bare_signature_samples"`
	Tokens    int       `json:"tokens"`
	Verified  int       `json:"signatures_verified"`
	Embedded  bool      `json:"directory_and_database_embedded"`

	Grants     table `json:"grants"`
	Requests   table `json:"requests"`
	Listings   table `json:"listings"`
	Registries table `json:"registries"`
	Verifying  table `json:"verifying"`
	Large      table `json:"many_tenants"`
	Memory     table `json:"memory"`
}

func newReport() report {
	const compared = "bytes\trequests/s\tbare Gin/s\tCPU us\tbare CPU us\tratio of rates\tat least\t\t"
	const comparedFormat = "%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\t%s\t"
	return report{
		Grants: table{
			Headings: "POST " + tokenPath + "\tconnections\ttokens/s\tp50 ms\tp99 ms\tCPU ms/token\tbare signature\tsignatures" +
				"\tat most\t\tby the quiet one\t",
			format: "%d\t%.0f\t%.1f\t%.1f\t%.3f\t%.3f\t%.2f\t%s\t%.2f\t",
		},
		Requests: table{
			Headings: "other requests        \tconnections\trequests/s\tp50 ms\tp99 ms\tCPU ms/request\tsignatures\t",
			format:   "%d\t%.0f\t%.1f\t%.1f\t%.3f\t%s\t",
		},
		Listings: table{Headings: "GET " + listingPath + "       \ttenants\t" + compared, format: "%d\t" + comparedFormat},
		Registries: table{
			Headings: "the registry alone    \ttenants\tlist MB\tgzip MB\tfirst list ms\twith select ms\tresident MB\thighest MB\t",
			format:   "%d\t%.2f\t%.2f\t%.0f\t%.0f\t%.1f\t%.1f\t",
		},
		Verifying: table{Headings: "GET " + checkPath + "\t" + compared, format: comparedFormat},
		Large: table{
			Headings: fmt.Sprintf("%d tenants, %d clients\t", largeTenants, largeTenants*largeClients) +
				"tokens/s\twith few\tsignatures\twith few\tratio\tat most\t\t",
			format: "%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%s\t",
		},
		Memory: table{
			Headings: "resident memory       \tat start\ttokens\tafter them\thighest\tat most\t\t",
			format:   "%.1f\t%d\t%.1f\t%.1f\t%s\t",
		},
	}
}

// addGrant adds what was measured with n connections.
func (r *report) addGrant(p phase, n int, l load) {
	signatures := l.signatures()
	r.Grants.add(p.name, n, l.perSecond(), l.percentile(50), l.percentile(99), milliseconds(l.cpuEach()), milliseconds(l.signature),
		signatures, goal("%.2f", p.target, signatures <= p.target))
}

func (r *report) addRequest(p phase, n int, l load) {
	signatures := ""
	if p.signs {
		signatures = fmt.Sprintf("%.2f", l.signatures())
	}
	r.Requests.add(p.name, n, l.perSecond(), l.percentile(50), l.percentile(99), milliseconds(l.cpuEach()), signatures)
}

// finish computes what follows from the rest.
func (r *report) finish(quiet []time.Duration, took time.Duration) {
	r.Seconds, r.Samples = took.Seconds(), len(quiet)
	if len(quiet) == 0 {
		return // no phase signed anything
	}
	middle := milliseconds(median(quiet))
	r.Signature = []float64{middle, milliseconds(slices.Min(quiet)), milliseconds(slices.Max(quiet))}
	for i, row := range r.Grants.Rows {
		r.Grants.Rows[i] = append(row, row[5].(float64)/middle) // the CPU of a token, by the quiet signature
	}
}

func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	s := r.Signature
	fmt.Fprintf(w, "Gatehouse on %d cores with %s. CPU is the server's alone; "+
		"rates include the asking program, which shares the cores.\n", r.Cores, r.Go)
	if r.Samples > 0 {
		fmt.Fprintf(w, "One bare RS256-2048 signature between the phases: %.3f ms of CPU (median of %d, %.3f to %.3f).\n",
			s[0], r.Samples, s[1], s[2])
	}
	r.Grants.write(w)
	if len(r.Grants.Rows) > 0 {
		fmt.Fprintln(w, "\nsignatures: CPU per token, in bare signatures made during the same phase; "+
			"the quiet one was made between the phases.")
	}
	for _, t := range []*table{&r.Requests, &r.Listings, &r.Registries, &r.Verifying, &r.Large, &r.Memory} {
		t.write(w)
	}
	fmt.Fprintf(w, "\n%d replies with tokens checked, every token unique, %d signatures verified; %.0f s in all.\n",
		r.Tokens, r.Verified, r.Seconds)
	if r.Embedded {
		fmt.Fprintln(w, "The embedded LDAP server and SQLite work inside the measured process and are counted.")
	} else {
		fmt.Fprintln(w, "The directory and the database are other processes and are not counted.")
	}
	return w.Flush()
}

// goal is a target and whether it is met: two cells, empty without a target.
func goal(format string, target float64, met bool) string {
	if target == 0 {
		return "\t"
	}
	return fmt.Sprintf(format+"\t%s", target, map[bool]string{true: "met", false: "missed"}[met])
}

func megabytes[N int | uint64](bytes N) float64 { return float64(bytes) / 1e6 }
