package devldap

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"slices"
	"strings"

	"github.com/jimlambrt/gldap"
)

// bind answers a simple bind. As RFC 4511 section 4.2.1 asks, the connection is
// anonymous from the moment a bind begins until one succeeds.
func (s *Server) bind(w *gldap.ResponseWriter, r *gldap.Request) {
	defer s.recovered()
	s.forget(r.ConnectionID())
	code := gldap.ResultOperationsError
	if message, err := r.GetSimpleBindMessage(); err == nil {
		var as string
		if as, code = s.checkPassword(message.UserName, string(message.Password)); code == gldap.ResultSuccess {
			s.mu.Lock()
			s.bound[r.ConnectionID()] = as
			s.mu.Unlock()
		}
	}
	_ = w.Write(r.NewBindResponse(gldap.WithResponseCode(code)))
}

// checkPassword returns who dn and password prove to be, and a result code.
// An empty password is refused and never taken for an unauthenticated bind
// (RFC 4513 section 5.1.2).
func (s *Server) checkPassword(dn, password string) (as string, code int) {
	if s.closed.Load() {
		return "", gldap.ResultUnavailable
	}
	if dn == "" || password == "" {
		return "", gldap.ResultUnwillingToPerform
	}
	n, err := parseDN(dn)
	if err != nil {
		return "", gldap.ResultInvalidDNSyntax
	}
	as = n.key()
	digest, known := s.unknown, false
	if as == s.service.dn {
		digest, known = s.service.digest, true
	} else if e := s.tree.entries[as]; e != nil && e.canBind {
		digest, known = e.digest, true
	}
	given := sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(given[:], digest[:]) != 1 || !known {
		return "", gldap.ResultInvalidCredentials
	}
	return as, gldap.ResultSuccess
}

// search answers a search: everything to the service account, their own entry
// to people, nothing to others.
func (s *Server) search(w *gldap.ResponseWriter, r *gldap.Request) {
	defer s.recovered()
	code := gldap.ResultOperationsError
	if message, err := r.GetSearchMessage(); err == nil {
		var found []*entry
		found, code = s.find(r.ConnectionID(), message)
		for _, e := range found {
			if w.Write(tell(r, e, message)) != nil {
				return
			}
		}
	}
	_ = w.Write(r.NewSearchDoneResponse(gldap.WithResponseCode(code)))
}

// find returns the entries that a connection may see of what message asks for.
func (s *Server) find(connection int, message *gldap.SearchMessage) ([]*entry, int) {
	s.mu.RLock()
	as := s.bound[connection]
	s.mu.RUnlock()
	switch {
	case s.closed.Load():
		return nil, gldap.ResultUnavailable
	case as == "":
		return nil, gldap.ResultInsufficientAccessRights
	}
	base, err := parseDN(message.BaseDN)
	if err != nil {
		return nil, gldap.ResultInvalidDNSyntax
	}
	filter, err := parseFilter(message.Filter)
	if err != nil {
		return nil, gldap.ResultProtocolError
	}
	key := base.key()
	root := s.tree.entries[key]
	if root == nil || (as != s.service.dn && as != key) {
		return nil, gldap.ResultNoSuchObject
	}
	candidates := s.tree.order
	if message.Scope == gldap.BaseObject {
		candidates = []*entry{root}
	}
	var found []*entry
	for _, e := range candidates {
		if !inScope(e.name, base, message.Scope) || filter.matches(e) != yes {
			continue
		}
		if message.SizeLimit > 0 && int64(len(found)) == message.SizeLimit {
			return found, gldap.ResultSizeLimitExceeded
		}
		found = append(found, e)
	}
	return found, gldap.ResultSuccess
}

func inScope(n, base name, scope gldap.Scope) bool {
	switch scope {
	case gldap.BaseObject:
		return len(n) == len(base)
	case gldap.SingleLevel:
		return len(n) == len(base)+1 && n.within(base)
	default:
		return n.within(base)
	}
}

// tell returns e with the attributes that were asked for: all but the
// operational ones when none or "*" was, and these when named or with "+"
// (RFC 4511 section 4.5.1.8, RFC 3673).
func tell(r *gldap.Request, e *entry, message *gldap.SearchMessage) *gldap.SearchResponseEntry {
	answer := r.NewSearchResponseEntry(e.dn)
	all := len(message.Attributes) == 0 || slices.Contains(message.Attributes, "*")
	operational := slices.Contains(message.Attributes, "+")
	for i := range e.attributes {
		a := &e.attributes[i]
		named := slices.ContainsFunc(message.Attributes, func(n string) bool { return strings.EqualFold(n, a.name) })
		wanted := named || (all && !a.operational) || (operational && a.operational)
		switch {
		case wanted && message.TypesOnly:
			answer.AddAttribute(a.name, nil)
		case wanted:
			answer.AddAttribute(a.name, a.values)
		}
	}
	return answer
}

// recovered keeps a panic from ending the program: gldap runs each handler in
// a goroutine of its own and recovers only its reader.
func (s *Server) recovered() {
	if r := recover(); r != nil && s.log != nil {
		s.log.Error("development directory: a request panicked", slog.Any("panic", r))
	}
}
