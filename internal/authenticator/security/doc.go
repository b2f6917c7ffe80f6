// Package security owns what a site needs of the Tapis Security Kernel. For
// now that is the passwords of service accounts; roles and secrets have their
// place here too.
//
// Passwords that people choose never come here: those belong to directories.
package security
