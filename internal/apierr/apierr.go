// Package apierr holds the one error value that may reach a client. It says
// what kind of failure happened, a public sentence about it and, privately,
// what caused it. How a kind becomes an HTTP status and a body is httpapi's
// business; this package knows nothing but the standard library.
package apierr

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind classifies a failure. Each kind has exactly one HTTP status.
type Kind int

// The kinds, named after what the caller did or met.
const (
	Internal         Kind = iota // our own fault: 500, the message is never shown
	Invalid                      // the request cannot be understood: 400
	Unauthenticated              // no or bad credentials: 401
	Forbidden                    // known caller, not allowed: 403
	NotFound                     // no such object: 404
	MethodNotAllowed             // wrong method on a known path: 405
	Conflict                     // the object exists or is in use: 409
	TooLarge                     // the body exceeds the limit: 413
	UnsupportedMedia             // the content type is not accepted: 415
	TooMany                      // throttled: 429
	Unavailable                  // a dependency is away: 503
)

// Error is a failure with a public face (Kind, Code, Message and what the
// headers need) and a private cause that is logged and never sent.
type Error struct {
	Kind       Kind
	Code       string        // the OAuth error code, RFC 6749 section 5.2; empty: the kind's own
	Message    string        // one sentence for the caller, without internals or secrets
	Challenge  string        // WWW-Authenticate of a 401; empty: none
	RetryAfter time.Duration // Retry-After of a 429 or 503; zero: none
	cause      error
}

// New returns an error of the given kind with a public message made as fmt.Sprintf does.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalidf is New(Invalid, …), the most common kind.
func Invalidf(format string, args ...any) *Error { return New(Invalid, format, args...) }

// OAuth returns an error that carries an OAuth error code beside its kind.
func OAuth(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an internal error: cause is logged, the caller learns nothing of it.
func Wrap(cause error, doing string) *Error {
	return &Error{Kind: Internal, Message: "An internal error occurred.", cause: fmt.Errorf("%s: %w", doing, cause)}
}

// Away returns an Unavailable error about the named dependency.
func Away(cause error, dependency string) *Error {
	return &Error{
		Kind: Unavailable, Message: dependency + " is not available at the moment; please try again shortly.",
		RetryAfter: 2 * time.Second, cause: cause,
	}
}

// DatabaseAway makes a failure of the database the answer that it is not
// available. Errors that are answers already, and those of a caller who has
// gone, stay as they are.
func DatabaseAway(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return Away(err, "The database")
}

// Because attaches the private cause and returns e.
func (e *Error) Because(cause error) *Error { e.cause = cause; return e }

// Error implements error for logs: the public message and the private cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + " (" + e.cause.Error() + ")"
	}
	return e.Message
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// From returns err as an *Error: itself when it is one, an internal error otherwise.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(err, "unexpected")
}

// Is reports whether err is an *Error of the given kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
