package tokens

// Answer is a Pair as every Tapis reply with tokens shows it.
type Answer struct {
	AccessToken  accessAnswer   `json:"access_token"`
	RefreshToken *refreshAnswer `json:"refresh_token,omitempty"`
}

type accessAnswer struct {
	AccessToken string `json:"access_token"`
	lifeAnswer
}

type refreshAnswer struct {
	RefreshToken string `json:"refresh_token"`
	lifeAnswer
}

type lifeAnswer struct {
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in"` // the lifetime that was granted, in seconds
	ID        string `json:"jti"`
}

// expiresAtLayout is ISO 8601 with six fraction digits and a numeric offset,
// which strict parsers of Tapis clients need.
const expiresAtLayout = "2006-01-02T15:04:05.000000-07:00"

// Answer returns what a reply shows of the pair.
func (p Pair) Answer() Answer {
	a := Answer{AccessToken: accessAnswer{p.Access.Value, p.Access.life()}}
	if p.Refresh != nil {
		a.RefreshToken = &refreshAnswer{p.Refresh.Value, p.Refresh.life()}
	}
	return a
}

func (t Token) life() lifeAnswer {
	return lifeAnswer{ExpiresAt: t.ExpiresAt.UTC().Format(expiresAtLayout), ExpiresIn: seconds(t.TTL), ID: t.ID}
}
