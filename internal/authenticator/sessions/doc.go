// Package sessions keeps what the server knows of a browser: who is signed in
// in it, and the flows that it is in the middle of. The browser holds a
// random cookie and nothing else; here it is known by its hash.
//
// A browser in which nobody is signed in has a cookie and no row. Signing in
// and out give it a new cookie; its flows go along when somebody signs in and
// end when somebody signs out. What a flow says is its owner's business, as is
// what a page means; docs/signin.md describes both.
package sessions
