package grants

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authenticator/clients"
	"gatehouse/internal/authenticator/oauth2"
	"gatehouse/internal/httpapi"
	"gatehouse/internal/registryclient"
)

// clientRule is what a grant asks of the client.
type clientRule int

const (
	clientNeeded   clientRule = iota // it must authenticate, or be a public one
	clientOptional                   // it may be absent
	// clientNamed: its id will do, unless it registered how it authenticates.
	// Devices have always polled with the id alone.
	clientNamed
)

// Credentials are how a client says who it is.
type Credentials struct {
	ID, Secret string
	Basic      bool // sent in the Authorization header rather than the body
}

// authenticate returns the client that sent these credentials from an address;
// nil where none took part.
func (p *Pipeline) authenticate(ctx context.Context, tenant registryclient.Tenant, rule clientRule, sent *Credentials,
	address string,
) (*clients.Client, error) {
	if sent == nil {
		if rule == clientOptional {
			return nil, nil // no client took part, and none is needed
		}
		e := invalidClient(false).Because(errors.New("no client credentials"))
		e.Message = "Invalid client credentials: this request needs a client, by HTTP Basic or by client_id and client_key."
		return nil, e
	}
	if rule == clientNamed && sent.Secret == "" && !sent.Basic {
		client, err := p.Clients.Find(ctx, tenant.ID, sent.ID)
		if err == nil && !client.AuthChosen {
			httpapi.Annotate(ctx, slog.String("client", client.ID))
			return &client, nil
		}
		if err != nil && !errors.Is(err, clients.ErrUnknown) {
			return nil, err
		}
	}
	forms := sent.forms()
	attempt, err := p.Guard.Client(ctx, tenant.ID, forms[0].ID, address)
	if err != nil {
		return nil, err
	}
	defer attempt.Cancel()
	var client clients.Client
	for _, form := range forms {
		client, err = p.Clients.Authenticate(ctx, tenant.ID, form.ID, form.Secret)
		if !errors.Is(err, clients.ErrCredentials) {
			break
		}
	}
	switch {
	case errors.Is(err, clients.ErrCredentials):
		if errors.Is(err, clients.ErrWrongSecret) {
			attempt.Fail()
		}
		return nil, invalidClient(sent.Basic).Because(err)
	case err != nil:
		return nil, err
	}
	attempt.Succeed()
	httpapi.Annotate(ctx, slog.String("client", client.ID))
	return &client, nil
}

// forms returns the credentials as they were sent and, where that differs,
// with the form encoding of RFC 6749 section 2.3.1 removed, which Tapis
// clients do not apply. All name the same client: ids contain no percent sign,
// so that one with it can only be meant encoded.
func (c Credentials) forms() []Credentials {
	if !c.Basic {
		return []Credentials{c}
	}
	decoded := httpapi.Basic{Name: c.ID, Secret: c.Secret}.Decoded()
	id := c.ID
	if strings.Contains(id, "%") {
		id = decoded.Name
	}
	forms := []Credentials{{ID: id, Secret: c.Secret, Basic: true}}
	if decoded.Secret != c.Secret {
		forms = append(forms, Credentials{ID: id, Secret: decoded.Secret, Basic: true})
	}
	return forms
}

func invalidClient(basic bool) *apierr.Error {
	e := apierr.OAuth(apierr.Unauthenticated, oauth2.InvalidClient, "Invalid client credentials.")
	if basic {
		e.Challenge = `Basic realm="tapis"`
	}
	return e
}
