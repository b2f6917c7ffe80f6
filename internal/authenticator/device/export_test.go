package device

// SetMaxWaiting changes how many codes of a tenant may wait.
func (s *Service) SetMaxWaiting(n int) { s.maxWaiting = n }
