package sessions

import (
	"context"
	"encoding/json"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/database"
	"gatehouse/internal/seal"
)

const (
	// FlowLifetime is how long a flow may take.
	FlowLifetime = 10 * time.Minute
	// maxFlows is how many flows a browser may be in the middle of; the oldest
	// give way.
	maxFlows = 50
)

// Begin records a flow of a browser and returns its id. content is anything
// that encoding/json can write.
func (s *Service) Begin(ctx context.Context, session Session, kind string, content any) (id string, err error) {
	now := s.now()
	r := flowRow{
		TenantID: session.TenantID, ID: seal.NewSecret(), CookieHash: session.hash(), Kind: kind,
		CreateTime: database.At(now), ExpiryTime: database.At(now.Add(FlowLifetime)),
	}
	if r.Content, err = s.sealed(r.TenantID, r.ID, content); err != nil {
		return "", err
	}
	if err := s.store.insertFlow(ctx, r); err != nil {
		return "", apierr.DatabaseAway(err)
	}
	return r.ID, apierr.DatabaseAway(s.store.trimFlows(ctx, r.TenantID, r.CookieHash, maxFlows))
}

// Flow reads a live flow of this browser into content; false when there is
// none of this kind.
func (s *Service) Flow(ctx context.Context, session Session, kind, id string, content any) (bool, error) {
	sealed, found, err := s.store.flow(ctx, s.key(session, kind, id))
	if err != nil || !found {
		return false, apierr.DatabaseAway(err)
	}
	return true, s.opened(session.TenantID, id, sealed, content)
}

// Change replaces what a flow of this browser says; it must still be there.
func (s *Service) Change(ctx context.Context, session Session, kind, id string, content any) error {
	sealed, err := s.sealed(session.TenantID, id, content)
	if err != nil {
		return err
	}
	there, err := s.store.changeFlow(ctx, s.key(session, kind, id), sealed)
	if err == nil && !there {
		return apierr.Invalidf("This page has expired; please start again from your application.")
	}
	return apierr.DatabaseAway(err)
}

// Take ends a flow of this browser and reads it into content; false when there
// is none of this kind. Of several at once, one gets it.
func (s *Service) Take(ctx context.Context, session Session, kind, id string, content any) (bool, error) {
	sealed, found, err := s.store.takeFlow(ctx, s.key(session, kind, id))
	if err != nil || !found {
		return false, apierr.DatabaseAway(err)
	}
	return true, s.opened(session.TenantID, id, sealed, content)
}

func (s *Service) key(session Session, kind, id string) flowKey {
	if !cookiePattern.MatchString(id) {
		id = "" // cannot be one, and may be more than the database can take
	}
	return flowKey{tenantID: session.TenantID, cookieHash: session.hash(), kind: kind, id: id, now: database.At(s.now())}
}

func (s *Service) sealed(tenantID, id string, content any) (string, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return "", apierr.Wrap(err, "encode flow")
	}
	return s.box.Seal(text, "flows", tenantID+"/"+id, "content"), nil
}

func (s *Service) opened(tenantID, id, sealed string, content any) error {
	text, err := s.box.Open(sealed, "flows", tenantID+"/"+id, "content")
	if err != nil {
		return apierr.Wrap(err, "open flow")
	}
	if err := json.Unmarshal(text, content); err != nil {
		return apierr.Wrap(err, "decode flow")
	}
	return nil
}
