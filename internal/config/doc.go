// Package config fills one typed settings struct from, in rising order, the
// defaults in its tags, one YAML file, environment variables, and for secrets
// a file that the variable with the suffix _FILE names. It reports every fault
// of all sources at once, and describes and prints the settings from the same
// tags. Which settings a program has, and what their values must fulfil
// beyond their type, is the business of the program (see Validator).
//
// # Tags
//
// Every exported field carries a key; an embedded struct without one adds its
// fields to those around it.
//
//	key:"listen"             its name in the file, one word; nested structs join theirs with dots
//	env:"GATEHOUSE_LISTEN"   its environment variable
//	default:"127.0.0.1:80"   its value when nobody sets it, written as in the environment
//	doc:"Where to listen."   what it means, for the reader of Table
//	required:"true"          somebody must set it to something
//	secret:"true"            never printed, never in a fault, readable from a file; text without a default
//
// A field is a string, bool, time.Duration ("15s"), []string (a list in the
// file, separated by commas in the environment), or a nested struct, which has
// nothing but a key. Tags that contradict this are mistakes of the programmer
// and panic.
//
// # What counts as given
//
// A variable that is empty counts as not set, so that an orchestrator can pass
// on what it may not have; a key without a value in the file likewise. The
// file is strict about types: a number where text is due wants quotes.
// Variables that begin like ours and belong to no setting are faults, except
// those that Kubernetes and Docker invent for services whose names begin so
// (…_SERVICE_HOST, …_PORT_80_TCP).
//
// # Secrets
//
// No fault repeats a value of any setting, nor the name of a secret's file,
// which might be the secret in the wrong variable. A secret that a Validator
// puts into its Problem is masked.
package config
