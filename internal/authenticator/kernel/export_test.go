package kernel

// CanonicalName is canonicalName.
var CanonicalName = canonicalName
