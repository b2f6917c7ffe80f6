// Package authtest is what the authenticator's tests stand on: one fixture
// whose parts are real and are built when they are first asked for.
//
//	f := authtest.New(t, db)             // or authtest.Each, authtest.OnSQLite
//	f.Clock.Advance(time.Minute)         // a time that only the test moves
//	f.Registry().Change("dev", ...)      // the registry as an HTTP server: see registrytest
//	access := f.User("dev", "ada")       // a recorded token
//	f.Grant("admin", "files", "...")     // a role
//	s := authtest.Serve(t, mount, "tokens")
//	s.Send("POST", "/v3/tokens", body).Want(401)
//
// A test of a package builds the part that it is about by itself, from the
// fixture's others, mostly in a small struct that embeds *Fixture beside it.
// Signing keys are taken from keys.pem, because making them is slow, so that
// no test needs a TestMain. Tests are in the external package (package
// keys_test), because this one imports what they are about. Production code
// never imports it.
package authtest
