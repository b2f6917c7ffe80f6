package responsecache

import (
	"context"

	"gatehouse/internal/httpapi"
)

// Cache is the items of one collection in the order of their list, and the
// responses with them, each made when it is first asked for. The items never
// change; it is safe for concurrent use.
type Cache[T any] struct {
	items []T
	index map[string]int // by id
	list  Lazy
	each  []Lazy
}

// New returns a cache of items, which it keeps; id tells what each is asked
// for by.
func New[T any](items []T, id func(item T) string) *Cache[T] {
	c := &Cache[T]{items: items, index: make(map[string]int, len(items)), each: make([]Lazy, len(items))}
	for i, item := range items {
		c.index[id(item)] = i
	}
	return c
}

// List returns the response with the items that the window asks for. Its
// message must be the same at each call.
func (c *Cache[T]) List(ctx context.Context, window httpapi.Window, message string) (*Response, error) {
	if window != (httpapi.Window{Limit: -1}) {
		return NewResponse(Page(ctx, c.items, window, message))
	}
	return c.list.Get(func() any { return Page(ctx, c.items, window, message) })
}

// Has reports whether there is an item with the id.
func (c *Cache[T]) Has(id string) bool {
	_, found := c.index[id]
	return found
}

// Get returns the response with the item that has the id, or false when there
// is none. Its message must be the same at each call for that id.
func (c *Cache[T]) Get(ctx context.Context, id, message string) (response *Response, found bool, err error) {
	i, found := c.index[id]
	if !found {
		return nil, false, nil
	}
	response, err = c.each[i].Get(func() any { return httpapi.Success(ctx, c.items[i], message) })
	return response, true, err
}

// Page returns the envelope of a list: those items of all that the window asks
// for, and how many there are.
func Page[T any](ctx context.Context, all []T, window httpapi.Window, message string) httpapi.Envelope {
	from, to := min(window.Offset, len(all)), len(all)
	if window.Limit >= 0 {
		to = min(from+window.Limit, to)
	}
	items := make([]T, to-from) // [] in JSON even when empty
	copy(items, all[from:to])
	envelope := httpapi.Success(ctx, items, message)
	envelope.Metadata = window.Page(len(items), len(all))
	return envelope
}
