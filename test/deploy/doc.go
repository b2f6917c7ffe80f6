// Package deploy tests what operators install: the Dockerfiles, the compose
// file, the Kubernetes manifests and the configuration of nginx, against the
// schemas that their own libraries carry and by running what can be run
// without an engine: the static programs in an empty root, Postgres, slapd and
// nginx beside them.
//
// It is a module of its own, so that those libraries stay out of Gatehouse's.
package deploy
