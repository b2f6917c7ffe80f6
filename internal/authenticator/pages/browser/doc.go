// Package browser is what all pages share: the cookie of a session, the check
// that a form is ours, the headers, and errors as pages.
//
// Which pages there are belongs to signin and webapp; sessions to sessions;
// rendering to page.
package browser
