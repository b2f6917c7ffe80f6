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
	Embedded  bool         `json:"directory_and_database_embedded"`
	Grants    []phaseRow   `json:"grants"`
	Requests  []phaseRow   `json:"requests"`
	Memory    memoryRow    `json:"memory"`
	Listings  []listingRow `json:"listings"`
	Verifying []listingRow `json:"verifying"`
	Crowds    []crowdRow   `json:"many_tenants"`
	Crowded   memoryRow    `json:"memory_of_many_tenants"`

	Registries []registryRow `json:"registries"`
}

type signatureRow struct {
	Samples int     `json:"samples"`
	Median  float64 `json:"cpu_ms"`
	Least   float64 `json:"cpu_ms_min"`
	Most    float64 `json:"cpu_ms_max"`
}

// phaseRow is one kind with a number of connections. A code flow counts as one
// request.
type phaseRow struct {
	Name        string  `json:"name"`
	Connections int     `json:"connections"`
	Requests    int     `json:"requests"`
	PerSecond   float64 `json:"requests_per_second"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	CPU         float64 `json:"server_cpu_ms"`
	Signature   float64 `json:"bare_signature_cpu_ms"` // during the phase; 0: it makes none
	Signatures  float64 `json:"signatures"`
	Quiet       float64 `json:"signatures_quiet"` // as multiples of those between the phases
	Target      float64 `json:"target"`           // 0: none is set
}

type memoryRow struct {
	Tokens int   `json:"tokens"`
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
	for _, rows := range [][]phaseRow{r.Grants, r.Requests} {
		for i := range rows {
			if g := &rows[i]; g.Signature > 0 {
				g.Signatures, g.Quiet = g.CPU/g.Signature, g.CPU/r.Signature.Median
			}
		}
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
	fmt.Fprintf(w, "One bare RS256-2048 signature between the phases: %.3f ms of CPU (median of %d, %.3f to %.3f).\n", s.Median, s.Samples, s.Least, s.Most)
	r.phases(w)
	r.listings(w)
	r.comparisons(w)
	r.memory(w)
	fmt.Fprintf(w, "\n%d replies with tokens checked, every token unique, %d signatures verified; %.0f s in all.\n", r.Tokens, r.Verified, r.Seconds)
	if r.Embedded {
		fmt.Fprintln(w, "The embedded LDAP server and SQLite work inside the measured process and are counted.")
	} else {
		fmt.Fprintln(w, "The directory and the database are other processes and are not counted.")
	}
	return w.Flush()
}

// phases writes what was asked of the authenticator.
func (r *report) phases(w io.Writer) {
	if len(r.Grants) > 0 {
		fmt.Fprintln(w, "\nPOST "+issuePath+"\tconnections\ttokens/s\tp50 ms\tp99 ms\tCPU ms/token\tbare signature\tsignatures\tat most\t\tby the quiet one\t")
	}
	for _, g := range r.Grants {
		most, met := "", ""
		if g.Target > 0 {
			most, met = fmt.Sprintf("%.2f", g.Target), verdict(g.Signatures <= g.Target)
		}
		fmt.Fprintf(w, "%-22s\t%d\t%.0f\t%.1f\t%.1f\t%.3f\t%.3f\t%.2f\t%s\t%s\t%.2f\t\n",
			g.Name, g.Connections, g.PerSecond, g.P50, g.P99, g.CPU, g.Signature, g.Signatures, most, met, g.Quiet)
	}
	if len(r.Grants) > 0 {
		fmt.Fprint(w, "\nsignatures: CPU per token, in bare signatures made during the same phase; the quiet one was made between the phases.\n")
	}
	if len(r.Requests) > 0 {
		fmt.Fprintln(w, "\nother requests        \tconnections\trequests/s\tp50 ms\tp99 ms\tCPU ms/request\tsignatures\t")
	}
	for _, g := range r.Requests {
		signatures := ""
		if g.Signature > 0 {
			signatures = fmt.Sprintf("%.2f", g.Signatures)
		}
		fmt.Fprintf(w, "%-22s\t%d\t%.0f\t%.1f\t%.1f\t%.3f\t%s\t\n", g.Name, g.Connections, g.PerSecond, g.P50, g.P99, g.CPU, signatures)
	}
}

// listings writes what was asked of the registry.
func (r *report) listings(w io.Writer) {
	if len(r.Listings) > 0 {
		fmt.Fprintln(w, "\nGET "+listingPath+"       \ttenants\tbytes\trequests/s\tbare Gin/s\tCPU us\tbare CPU us\tratio of rates\tat least\t\t")
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
}

// comparisons writes what two servers did in turns.
func (r *report) comparisons(w io.Writer) {
	if len(r.Verifying) > 0 {
		fmt.Fprintln(w, "\nGET "+checkPath+"\tbytes\trequests/s\tbare Gin/s\tCPU us\tbare CPU us\tratio of rates\tat least\t\t")
	}
	for _, l := range r.Verifying {
		least, met := "", ""
		if l.Target > 0 {
			least, met = fmt.Sprintf("%.2f", l.Target), verdict(l.Ratio >= l.Target)
		}
		fmt.Fprintf(w, "%-22s\t%d\t%.0f\t%.0f\t%.1f\t%.1f\t%.2f\t%s\t%s\t\n",
			l.Answer, l.Bytes, l.PerSecond, l.BarePerSecond, l.CPU, l.BareCPU, l.Ratio, least, met)
	}
	if len(r.Crowds) > 0 {
		fmt.Fprintf(w, "\n%d tenants, %d clients\ttokens/s\twith few\tsignatures\twith few\tratio\tat most\t\t\n", crowdOf, crowdOf*crowdClients)
	}
	for _, c := range r.Crowds {
		fmt.Fprintf(w, "%-22s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t\n",
			c.Grant, c.PerSecond, c.FewPerSecond, c.Signatures, c.FewSignatures, c.Ratio, c.Target, verdict(c.Ratio <= c.Target))
	}
}

func (r *report) memory(w io.Writer) {
	if r.Memory.Now+r.Crowded.Now > 0 {
		fmt.Fprintln(w, "\nresident memory       \tat start\ttokens\tafter them\thighest\tat most\t\t")
	}
	for i, m := range []memoryRow{r.Memory, r.Crowded} {
		if m.Now == 0 {
			continue // it was not measured
		}
		name := []string{"MB", fmt.Sprintf("MB with %d tenants", crowdOf)}[i]
		fmt.Fprintf(w, "%-22s\t%.1f\t%d\t%.1f\t%.1f\t%.1f\t%s\t\n",
			name, megabytes(m.Start), m.Tokens, megabytes(m.Now), megabytes(m.Peak), megabytes(m.Target), verdict(m.Now <= m.Target))
	}
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
