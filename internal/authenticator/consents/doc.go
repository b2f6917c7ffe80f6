// Package consents remembers which applications people have allowed to act
// for them: so that they are not asked again where they said so, and so that
// they can see the list and take an application off it.
//
// When to ask is decided in signin; what taking off voids, in tokens.
package consents
