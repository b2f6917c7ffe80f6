package grants

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/codes"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/authenticator/people"
	"gatehouse/internal/authenticator/tokens"
	"gatehouse/internal/registryclient"
)

// The forms of RFC 7636: a verifier of section 4.1, and the S256 challenge of
// section 4.2, which is 32 bytes as base64url.
var (
	verifierPattern  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// CheckChallenge fails unless a client may go on with this code challenge of
// an authorization request. Only S256 is supported, and public clients must
// send a challenge.
func CheckChallenge(client clients.Client, challenge, method string) error {
	switch {
	case challenge == "" && method != "":
		return apierr.Invalidf("The parameter code_challenge is missing beside code_challenge_method.")
	case challenge == "" && client.Public():
		return apierr.Invalidf("The parameter code_challenge is missing: public clients must use PKCE with S256.")
	case challenge == "":
		return nil
	case method != "S256":
		return apierr.Invalidf("The parameter code_challenge_method must be S256.")
	case !challengePattern.MatchString(challenge):
		return apierr.Invalidf("The parameter code_challenge must be the base64url form of a SHA-256 hash.")
	}
	return nil
}

// Code records what a person approved for a client and returns the
// authorization code. The code challenge of the approval, if any, is an S256 one.
func (p *Pipeline) Code(ctx context.Context, tenant registryclient.Tenant, client clients.Client,
	a codes.Approval,
) (string, error) {
	approved, err := p.approved(ctx, tenant, client, a, oauth2.AuthorizationCode)
	if err != nil {
		return "", err
	}
	method := ""
	if a.CodeChallenge != "" {
		method = "S256"
	}
	if err := CheckChallenge(client, a.CodeChallenge, method); err != nil {
		return "", err
	}
	return p.engine.code(ctx, approved, a)
}

// Implicit mints the access token of RFC 6749 section 4.2 for what a person
// approved. There is no refresh token.
func (p *Pipeline) Implicit(ctx context.Context, tenant registryclient.Tenant, client clients.Client,
	a codes.Approval,
) (Outcome, error) {
	approved, err := p.approved(ctx, tenant, client, a, oauth2.Implicit)
	if err != nil {
		return Outcome{}, err
	}
	who := granteeOf(a)
	who.redirectURI, who.alone, who.login.GrantType = approved.RedirectURI, true, oauth2.Implicit
	out := Outcome{Request: approved.issueRequest(who)}
	out.Pair, err = p.engine.implicit(ctx, approved, out.Request)
	return out, err
}

// approved makes sure that an approval may still become a code or a token: the
// pages checked the same when the person arrived. The exchange that it returns
// has the redirect URI to use.
func (p *Pipeline) approved(ctx context.Context, tenant registryclient.Tenant, client clients.Client, a codes.Approval,
	grantType string,
) (exchange, error) {
	settings, err := p.Settings.For(ctx, tenant.ID)
	if err != nil {
		return exchange{}, err
	}
	if err := errors.Join(permitted(tenant, settings, grantType), permittedFor(&client, grantType)); err != nil {
		return exchange{}, apierr.From(err)
	}
	if a.TenantID != tenant.ID || client.TenantID != tenant.ID || a.ClientID != client.ID || a.Username == "" {
		return exchange{}, apierr.Wrap(errors.New("the approval is another tenant's or client's"), "approve")
	}
	uri, ok := client.Redirect(a.RedirectURI)
	if !ok {
		return exchange{}, apierr.Invalidf("The parameter redirect_uri is not registered for the client.")
	}
	x := exchange{
		Request: Request{GrantType: grantType, RedirectURI: uri}, tenant: tenant, settings: settings, client: &client,
	}
	return x, p.admit(ctx, x, granteeOf(a), nil)
}

// granteeOf returns whom an approval is for.
func granteeOf(a codes.Approval) grantee {
	return grantee{
		username: a.Username, idpID: a.IDPID, began: a.Began, approved: true,
		login: tokens.Login{Scope: oauth2.KnownScope(a.Scope), Nonce: a.Nonce, AuthTime: a.AuthTime, AMR: a.AMR},
	}
}

// authorizationCode is the grant of RFC 6749 section 4.1.3, with RFC 7636.
type authorizationCode struct{}

func (authorizationCode) rules() rules { return rules{client: clientNeeded, withdrawn: invalidCode} }

func (authorizationCode) authorize(ctx context.Context, p *Pipeline, x exchange) (grantee, error) {
	if x.Code == "" {
		return grantee{}, apierr.Invalidf("Missing the required code parameter.")
	}
	if x.CodeVerifier != "" && !verifierPattern.MatchString(x.CodeVerifier) {
		return grantee{}, apierr.Invalidf("The parameter code_verifier must be 43 to 128 letters, digits and . _ ~ -.")
	}
	// Whatever is wrong from here on costs the code: it may have been stolen.
	r, err := p.Codes.Redeem(ctx, x.tenant.ID, x.client.ID, x.Code)
	if errors.Is(err, codes.ErrRefused) || errors.Is(err, codes.ErrReused) {
		return grantee{}, invalidCode(err)
	}
	if err != nil {
		return grantee{}, err
	}
	uri, ok := x.client.Redirect(r.RedirectURI)
	if !ok || (x.RedirectURI != r.RedirectURI && (r.RedirectURI != "" || x.RedirectURI != uri)) {
		return grantee{}, invalidCode(errors.New("the redirect URI is another, or no longer registered"))
	}
	if err := verify(r.CodeChallenge, x.CodeVerifier, x.client.Public()); err != nil {
		return grantee{}, invalidCode(err)
	}
	who := granteeOf(r.Approval)
	who.redirectURI, who.redemption = uri, &r
	who.family = &tokens.Family{ID: r.FamilyID, ExpiresAt: earlier(p.Now().Add(x.settings.MaxRefreshTTL), r.FamilyEnd)}
	return who, nil
}

// verify compares a code verifier with its challenge. A verifier without a
// challenge is refused too: somebody may have taken the challenge out of the
// authorization request.
func verify(challenge, verifier string, public bool) error {
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case challenge == "" && (public || verifier != ""):
		return errors.New("there was no code challenge")
	case challenge != "" && verifier == "":
		return errors.New("the code verifier is missing")
	case challenge != "" && !same(base64.RawURLEncoding.EncodeToString(sum[:]), challenge):
		return errors.New("the code verifier is wrong")
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func invalidCode(cause error) error {
	if errors.Is(cause, people.ErrSecondFactor) {
		return invalidGrant("The authorization code is not valid: the tenant asks for a second factor, without which it was granted.",
			cause)
	}
	return invalidGrant("The authorization code is not valid: it is unknown, expired, was used before, or does not go with "+
		"this client, redirect_uri or code_verifier.", cause)
}
