// Package signin is the way of a person through the browser: an application
// sends the browser to authorize, the person signs in and consents, and the
// browser goes back with a code. Devices come the same way by a user code.
//
// A flow says what was asked for. Between the steps there is one dispatcher:
// it looks which step is due, sends the browser there, and when none is,
// finishes; a step only ever returns to it. docs/signin.md describes it.
//
// Cookies, form tokens and error pages belong to browser, sessions and stored
// flows to sessions, remembered consent to consents, codes and tokens to
// grants, device codes to device.
package signin
