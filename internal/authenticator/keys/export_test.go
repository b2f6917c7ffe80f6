package keys

import "crypto/rsa"

// SetMake lets tests have keys that are ready.
func (s *Service) SetMake(make func() (*rsa.PrivateKey, error)) { s.make = make }
