// Package responsecache holds JSON responses that are ready before they are
// asked for: the bytes, their strong ETag, and the gzip form of both. What the
// bytes say and when they stop being true is the business of whoever made
// them: a Cache never changes, its owner replaces it.
//
// Responses go out with Cache-Control: no-cache, so everyone may keep one but
// asks again before using it. A change must be seen within seconds, and a 304
// costs next to nothing. Responses that depend on who asks are private.
//
// http.ServeContent is not used: a caller who holds either form, plain or
// gzip, gets a 304, and ready bytes are not served in ranges.
package responsecache
