package fair

// Known returns how many groups the slots remember.
func (s *Slots) Known() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.root.below) + s.root.waiting
}

// Free returns how many slots nobody holds.
func (s *Slots) Free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}
