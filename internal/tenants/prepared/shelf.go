package prepared

import (
	"context"

	"gatehouse/internal/httpapi"
)

// Shelf is rows of one kind as answers show them, in the order of their list,
// and the answers about them, each made when it is first asked for. The rows
// never change; it is safe for concurrent use.
type Shelf[T any] struct {
	rows []T
	at   map[string]int // by id
	list Once
	each []Once
}

// NewShelf returns a shelf of rows, which it keeps; id tells what each is
// asked for by.
func NewShelf[T any](rows []T, id func(row T) string) *Shelf[T] {
	s := &Shelf[T]{rows: rows, at: make(map[string]int, len(rows)), each: make([]Once, len(rows))}
	for i, row := range rows {
		s.at[id(row)] = i
	}
	return s
}

// List returns the answer with the rows that the window asks for. Its message
// must be the same at each call.
func (s *Shelf[T]) List(ctx context.Context, window httpapi.Window, message string) (*Answer, error) {
	if window != (httpapi.Window{Limit: -1}) {
		return New(Page(ctx, s.rows, window, message))
	}
	return s.list.Get(func() any { return Page(ctx, s.rows, window, message) })
}

// Row returns the answer with the row that has the id, or false when there is
// none. Its message must be the same at each call for that id.
func (s *Shelf[T]) Row(ctx context.Context, id, message string) (answer *Answer, found bool, err error) {
	i, found := s.at[id]
	if !found {
		return nil, false, nil
	}
	answer, err = s.each[i].Get(func() any { return httpapi.Success(ctx, s.rows[i], message) })
	return answer, true, err
}
