package tokens

// Response is a Pair as every Tapis reply with tokens shows it.
type Response struct {
	AccessToken  AccessResponse   `json:"access_token"`
	RefreshToken *RefreshResponse `json:"refresh_token,omitempty"`
}

// AccessResponse is what a reply says of an access token.
type AccessResponse struct {
	AccessToken string `json:"access_token"`
	Life
	IDToken string `json:"id_token,omitempty"` // OpenID Connect Core section 3.1.3.3
}

// RefreshResponse is what a reply says of a refresh token.
type RefreshResponse struct {
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

// Response returns what a reply shows of the pair.
func (p Pair) Response() Response {
	r := Response{AccessToken: AccessResponse{AccessToken: p.Access.Value, Life: p.Access.life()}}
	if p.Refresh != nil {
		r.RefreshToken = &RefreshResponse{p.Refresh.Value, p.Refresh.life()}
	}
	return r
}

func (t Token) life() Life {
	return Life{ExpiresAt: t.ExpiresAt.UTC().Format(expiresAtLayout), ExpiresIn: seconds(t.TTL), ID: t.ID}
}
