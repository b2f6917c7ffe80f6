// Package kernelclient asks a Security Kernel (/v3/security, which the
// authenticator of the primary site serves) over HTTP, as one of the
// installation's services: who holds which role, and whether a token has been
// revoked. It gets the service's own token with the service's password when it
// first needs one, keeps it until shortly before its end, replaces one that is
// refused, and never asks at start, so that two services may need each other.
//
// A yes is believed for three seconds, a no never. Whatever is not a clear
// answer, be it a timeout, a redirect, an unexpected status or JSON of another
// shape, is an error of kind apierr.Unavailable, which never tells a secret;
// then nothing may be allowed.
//
// What the roles allow belongs to whoever asks.
package kernelclient
