package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// report is all that was measured. Times are milliseconds of CPU or latency,
// sizes bytes.
type report struct {
	Go        string       `json:"go"`
	Cores     int          `json:"cores"`
	Seconds   float64      `json:"seconds"`
	Signature signatureRow `json:"bare_signature"`
	Tokens    int          `json:"tokens"`
	Verified  int          `json:"signatures_verified"`
	Grants    []grantRow   `json:"grants"`
	Memory    memoryRow    `json:"memory"`
	Listings  []listingRow `json:"listings"`
	Verifying []listingRow `json:"verifying"`
	Crowded   memoryRow    `json:"memory_of_many_tenants"`

	Registries []registryRow `json:"registries"`
}

type signatureRow struct {
	Samples int     `json:"samples"`
	Median  float64 `json:"cpu_ms"`
	Least   float64 `json:"cpu_ms_min"`
	Most    float64 `json:"cpu_ms_max"`
}

type grantRow struct {
	Grant       string  `json:"grant"`
	Connections int     `json:"connections"`
	Requests    int     `json:"requests"`
	PerSecond   float64 `json:"tokens_per_second"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	CPU         float64 `json:"server_cpu_ms"`
	Signature   float64 `json:"bare_signature_cpu_ms"` // during the phase
	Signatures  float64 `json:"signatures"`
	Quiet       float64 `json:"signatures_quiet"` // as multiples of those between the phases
	Target      float64 `json:"target"`
}

type memoryRow struct {
	Start  int64 `json:"start"`
	Now    int64 `json:"after_all_tokens"`
	Peak   int64 `json:"peak"`
	Target int64 `json:"target"`
}

type listingRow struct {
	Tenants       int     `json:"tenants"`
	Answer        string  `json:"answer"`
	Bytes         int     `json:"bytes"`
	PerSecond     float64 `json:"requests_per_second"`
	BarePerSecond float64 `json:"bare_requests_per_second"`
	Ratio         float64 `json:"ratio"`
	CPU           float64 `json:"server_cpu_us"`
	BareCPU       float64 `json:"bare_cpu_us"`
	Target        float64 `json:"target"`
}

// memoryTarget is the most that may be resident after 100,000 tokens.
const memoryTarget = 60_000_000

// finish computes what follows from the rest.
func (r *report) finish(bare *signer, took time.Duration) {
	r.Seconds, r.Memory.Target, r.Crowded.Target = took.Seconds(), memoryTarget, crowdTarget
	r.Signature = newSignatureRow(bare.quiet)
	for i := range r.Grants {
		g := &r.Grants[i]
		g.Signatures, g.Quiet = g.CPU/g.Signature, g.CPU/r.Signature.Median
	}
}

func newSignatureRow(samples []time.Duration) signatureRow {
	return signatureRow{
		Samples: len(samples), Median: milliseconds(median(samples)),
		Least: milliseconds(slices.Min(samples)), Most: milliseconds(slices.Max(samples)),
	}
}

func (r *report) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	s := r.Signature
	fmt.Fprintf(w, "Gatehouse on %d cores with %s. CPU is the server's alone; rates include the asking program, which shares the cores.\n", r.Cores, r.Go)
	fmt.Fprintf(w, "One bare RS256-2048 signature between the phases: %.3f ms of CPU (median of %d, %.3f to %.3f).\n\n", s.Median, s.Samples, s.Least, s.Most)

	fmt.Fprintln(w, "POST /v3/oauth2/tokens\tconnections\ttokens/s\tp50 ms\tp99 ms\tCPU ms/token\tbare signature\tsignatures\tat most\t\tby the quiet one\t")
	for _, g := range r.Grants {
		fmt.Fprintf(w, "%-22s\t%d\t%.0f\t%.1f\t%.1f\t%.3f\t%.3f\t%.2f\t%.2f\t%s\t%.2f\t\n",
			g.Grant, g.Connections, g.PerSecond, g.P50, g.P99, g.CPU, g.Signature, g.Signatures, g.Target, verdict(g.Signatures <= g.Target), g.Quiet)
	}
	fmt.Fprint(w, "\nsignatures: CPU per token, in bare signatures made during the same phase; the quiet one was made between the phases.\n")
	if len(r.Listings) > 0 {
		fmt.Fprintln(w, "\nGET /v3/tenants       \ttenants\tbytes\trequests/s\tbare Gin/s\tCPU us\tbare CPU us\tratio of rates\tat least\t\t")
	}
	for _, l := range r.Listings {
		fmt.Fprintf(w, "%-22s\t%d\t%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\t%.2f\t%s\t\n",
			l.Answer, l.Tenants, l.Bytes, l.PerSecond, l.BarePerSecond, l.CPU, l.BareCPU, l.Ratio, l.Target, verdict(l.Ratio >= l.Target))
	}
	if len(r.Registries) > 0 {
		fmt.Fprintln(w, "\nthe registry alone    \ttenants\tlist MB\tgzip MB\tfirst list ms\twith select ms\tresident MB\thighest MB\t")
	}
	for _, g := range r.Registries {
		fmt.Fprintf(w, "%-22s\t%d\t%.2f\t%.2f\t%.0f\t%.0f\t%.1f\t%.1f\t\n",
			"", g.Tenants, megabytes(int64(g.Bytes)), megabytes(int64(g.Packed)), g.First, g.Select, megabytes(g.Memory), megabytes(g.Peak))
	}
	fmt.Fprintln(w, "\nGET "+checkPath+"\tbytes\trequests/s\tbare Gin/s\tCPU us\tbare CPU us\tratio of rates\tat least\t\t")
	for _, l := range r.Verifying {
		met := ""
		if l.Target > 0 {
			met = verdict(l.Ratio >= l.Target)
		}
		fmt.Fprintf(w, "%-22s\t%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\t%.2f\t%s\t\n",
			l.Answer, l.Bytes, l.PerSecond, l.BarePerSecond, l.CPU, l.BareCPU, l.Ratio, l.Target, met)
	}
	m := r.Memory
	fmt.Fprintln(w)
	fmt.Fprintf(w, "resident memory       \tat start\tafter %d tokens\thighest\tat most\t\t\n", r.Tokens)
	fmt.Fprintf(w, "MB                    \t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n",
		megabytes(m.Start), megabytes(m.Now), megabytes(m.Peak), megabytes(m.Target), verdict(m.Now <= m.Target))
	if c := r.Crowded; c.Start > 0 {
		fmt.Fprintf(w, "MB with %d tenants  \t%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n",
			crowdOf, megabytes(c.Start), megabytes(c.Now), megabytes(c.Peak), megabytes(c.Target), verdict(c.Now <= c.Target))
	}
	fmt.Fprintf(w, "\n%d replies with tokens checked, every token unique, %d signatures verified; %.0f s in all.\n", r.Tokens, r.Verified, r.Seconds)
	if len(r.Listings) > 0 {
		fmt.Fprintln(w, "The embedded LDAP server and SQLite work inside the measured process and are counted.")
	} else {
		fmt.Fprintln(w, "The directory and the database are other processes and are not counted.")
	}
	return w.Flush()
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
