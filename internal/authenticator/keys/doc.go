// Package keys owns the signing keys of the tenants: making them, sealing
// them at rest, loading each once, publishing their public halves as PEM and
// as a JWK Set (RFC 7517), and rotating them, of which the registry is told.
//
// It never hands out one tenant's key for another. What is signed with a key
// belongs to tokens, who may ask for a rotation to servicetokens.
package keys
