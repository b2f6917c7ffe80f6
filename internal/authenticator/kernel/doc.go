// Package kernel serves /v3/security, the part of the Tapis Security Kernel
// that a site needs: roles and who holds them, secrets, and the passwords of
// service accounts.
//
// Passwords that people choose never come here: those belong to directories.
package kernel
