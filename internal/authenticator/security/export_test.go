package security

// CanonicalName is canonicalName.
var CanonicalName = canonicalName
