package tokens

// Answer is a Pair as every Tapis reply with tokens shows it.
type Answer struct {
	AccessToken  AccessAnswer   `json:"access_token"`
	RefreshToken *RefreshAnswer `json:"refresh_token,omitempty"`
}

// AccessAnswer is what a reply says of an access token.
type AccessAnswer struct {
	AccessToken string `json:"access_token"`
	Life
	IDToken string `json:"id_token,omitempty"` // OpenID Connect Core section 3.1.3.3
}

// RefreshAnswer is what a reply says of a refresh token.
type RefreshAnswer struct {
	RefreshToken string `json:"refresh_token"`
	Life
}

// Life is what a reply says of any token.
type Life struct {
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in"` // the lifetime that was granted, in seconds
	ID        string `json:"jti"`
}

// expiresAtLayout is ISO 8601 with six fraction digits and a numeric offset,
// which strict parsers of Tapis clients need.
const expiresAtLayout = "2006-01-02T15:04:05.000000-07:00"

// Answer returns what a reply shows of the pair.
func (p Pair) Answer() Answer {
	a := Answer{AccessToken: AccessAnswer{AccessToken: p.Access.Value, Life: p.Access.life()}}
	if p.Refresh != nil {
		a.RefreshToken = &RefreshAnswer{p.Refresh.Value, p.Refresh.life()}
	}
	return a
}

func (t Token) life() Life {
	return Life{ExpiresAt: t.ExpiresAt.UTC().Format(expiresAtLayout), ExpiresIn: seconds(t.TTL), ID: t.ID}
}
