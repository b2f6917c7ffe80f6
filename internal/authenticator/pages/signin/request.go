package signin

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/grants"
	"gatehouse/internal/authenticator/oauth2"
)

// maxParameter bounds each parameter, in bytes: state and nonce come back in
// URLs and tokens.
const maxParameter = 2048

// The values of prompt, OpenID Connect Core section 3.1.2.1.
const (
	promptNone          = "none"
	promptLogin         = "login"
	promptConsent       = "consent"
	promptSelectAccount = "select_account"
)

// request is an authorization request, RFC 6749 section 4.1.1 and OpenID
// Connect Core section 3.1.2.1. It is stored in flows.
type request struct {
	ClientID      string
	RedirectURI   string // as it was sent; empty if it was left out
	State         string
	ResponseType  string
	ResponseMode  string // query or fragment
	Scope         string // what is granted of it
	Nonce         string
	CodeChallenge string
	Prompt        []string
	MaxAge        *int64 // seconds
	Username      string // a hint
}

func (r request) scopes() []string { return strings.Fields(r.Scope) }

func (r request) prompts(value string) bool { return slices.Contains(r.Prompt, value) }

// maxAge returns how long ago the person may have signed in.
func (r request) maxAge() (time.Duration, bool) {
	if r.MaxAge == nil {
		return 0, false
	}
	return time.Duration(*r.MaxAge) * time.Second, true
}

// parameters are the query of an authorization request.
type parameters struct{ values url.Values }

// parseParameters reads a query or a form; false when it is not well-formed.
func parseParameters(raw string) (parameters, bool) {
	values, err := url.ParseQuery(raw)
	return parameters{values}, err == nil
}

// one returns a parameter that may be there once; false when it is there
// twice, too long, or no text. An empty one counts as absent.
func (p parameters) one(name string) (string, bool) { return p.upTo(maxParameter, name) }

// upTo is one with a limit of its own, in bytes.
func (p parameters) upTo(limit int, name string) (string, bool) {
	values := p.values[name]
	if len(values) == 0 {
		return "", true
	}
	value := values[0]
	if len(values) > 1 || len(value) > limit || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "", false
	}
	return value, true
}

// text is one for parameters whose faults are reported elsewhere.
func (p parameters) text(name string) string {
	value, _ := p.one(name)
	return value
}

// protocolError is an error that is told to the client, RFC 6749 section
// 4.1.2.1.
type protocolError struct{ code, description string }

func wrong(description string) *protocolError {
	return &protocolError{oauth2.InvalidRequest, description}
}

// read are the parameters that are looked at.
var read = []string{
	"client_id", "redirect_uri", "state", "response_type", "response_mode", "scope", "nonce", "code_challenge",
	"code_challenge_method", "prompt", "max_age", "login_hint", "username", "request", "request_uri", "registration",
}

// parseRequest reads a request of a known client whose redirect URI is good.
// implicitMode is where the tenant has tokens go by default. What it returns
// beside an error is enough to tell the client of it.
func parseRequest(p parameters, client clients.Client, implicitMode string) (request, *protocolError) {
	r := request{
		ClientID: client.ID, RedirectURI: p.text("redirect_uri"), State: p.text("state"),
		ResponseType: p.text("response_type"), ResponseMode: "query", Prompt: strings.Fields(p.text("prompt")),
	}
	if r.ResponseType == oauth2.TokenResponse {
		r.ResponseMode = implicitMode
	}
	for _, name := range read {
		if _, ok := p.one(name); !ok {
			return r, wrong("The parameter " + name + " is given more than once, is too long, or is not text.")
		}
	}
	if fault := r.checkTypes(p); fault != nil {
		return r, fault
	}
	r.Scope, r.Nonce, r.Username = oauth2.KnownScope(p.text("scope")), p.text("nonce"), p.text("login_hint")
	if r.Username == "" {
		r.Username = p.text("username")
	}
	if fault := r.readPrompt(p); fault != nil {
		return r, fault
	}
	return r, r.readChallenge(p, client)
}

func (r *request) checkTypes(p parameters) *protocolError {
	for _, name := range []string{"request", "request_uri", "registration"} {
		if p.text(name) != "" {
			return &protocolError{name + "_not_supported", "The parameter " + name + " is not supported."}
		}
	}
	switch r.ResponseType {
	case oauth2.CodeResponse, oauth2.TokenResponse:
	case "":
		return wrong("The parameter response_type is missing.")
	default:
		return &protocolError{oauth2.UnsupportedResponseType, "The response type must be code."}
	}
	switch mode := p.text("response_mode"); mode {
	case "", r.ResponseMode:
	case "fragment":
		r.ResponseMode = mode
	case "query":
		return wrong("Tokens are not sent in a query here; the response_mode must be fragment.")
	default:
		return wrong("The response_mode must be query or fragment.")
	}
	return nil
}

func (r *request) readPrompt(p parameters) *protocolError {
	known := []string{promptNone, promptLogin, promptConsent, promptSelectAccount}
	for _, value := range r.Prompt {
		if !slices.Contains(known, value) {
			return wrong("The values of prompt are " + strings.Join(known, ", ") + ".")
		}
	}
	if r.prompts(promptNone) && len(r.Prompt) > 1 {
		return wrong("The prompt none goes with no other.")
	}
	if text := p.text("max_age"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return wrong("The parameter max_age must be a number of seconds.")
		}
		r.MaxAge = &seconds
	}
	return nil
}

// readChallenge holds clients to S256 (RFC 7636), those without a secret to
// having one.
func (r *request) readChallenge(p parameters, client clients.Client) *protocolError {
	if r.ResponseType != oauth2.CodeResponse {
		return nil
	}
	r.CodeChallenge = p.text("code_challenge")
	if err := grants.CheckChallenge(client, r.CodeChallenge, p.text("code_challenge_method")); err != nil {
		return wrong(apierr.From(err).Message)
	}
	return nil
}

// scopeWords says what the scopes that are known let a client do.
var scopeWords = map[string]string{
	"openid":         "Know your user name",
	"profile":        "See your name",
	"email":          "See your e-mail address",
	"groups":         "See which groups you are in",
	"offline_access": "Keep this access while you are away",
}
