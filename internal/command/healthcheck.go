package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
	"unicode"
)

// healthTimeout bounds a health check, all of it.
const healthTimeout = 3 * time.Second

// Healthcheck returns the command that asks the server on this machine whether
// it is ready (GET /readyz) and fails with the reason if not: the probe of a
// container without a shell. address finds the configured listen address
// ("host:port", where an empty or unspecified host means this machine) from
// the command's environment and arguments; if it takes arguments, set Usage.
func Healthcheck(address func(std IO, args []string) (string, error)) Command {
	return Command{
		Name: "healthcheck", Summary: "Ask the server on this machine whether it is ready.",
		Run: func(ctx context.Context, std IO, args []string) error {
			listen, err := address(std, args)
			if err != nil {
				return err
			}
			return probe(ctx, listen)
		},
	}
}

// probe returns nil if the server at listen answers 200.
func probe(ctx context.Context, listen string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost" // in the Host header; the dialer takes such addresses for this machine
	}
	// The transport has no proxy, and dials what the server listens on whatever the URL says.
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, listen)
		},
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: the server answers %s%s", resp.Status, message(resp.Body))
	}
	return nil
}

// message returns the message of a Tapis envelope, if body holds a plain one.
func message(body io.Reader) string {
	var envelope struct {
		Message string `json:"message"`
	}
	if json.NewDecoder(io.LimitReader(body, 4096)).Decode(&envelope) != nil || envelope.Message == "" {
		return ""
	}
	for _, r := range envelope.Message {
		if !unicode.IsPrint(r) {
			return ""
		}
	}
	return ": " + envelope.Message
}
