// Package program is what the services' programs have in common: settings of
// every server, its log, its metrics on a port of their own, serving and
// draining, and the migrate command.
//
// What is served belongs to the services, the commands' frame to command.
package program
