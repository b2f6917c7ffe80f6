package prepared

import (
	"context"

	"gatehouse/internal/httpapi"
)

// Page returns the envelope of a list: the rows of all that the window asks
// for, and how many there are.
func Page[T any](ctx context.Context, all []T, window httpapi.Window, message string) httpapi.Envelope {
	from, to := min(window.Offset, len(all)), len(all)
	if window.Limit >= 0 {
		to = min(from+window.Limit, to)
	}
	rows := make([]T, to-from) // [] in JSON even when empty
	copy(rows, all[from:to])
	envelope := httpapi.Success(ctx, rows, message)
	envelope.Metadata = window.Page(len(rows), len(all))
	return envelope
}
