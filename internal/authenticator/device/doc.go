// Package device keeps the device codes of RFC 8628: a device asks for one, a
// person types its short user code, approves or denies on the consent page,
// and the device, polling, is told once.
//
// A code goes from Created to Entered, which binds it to a person, from there
// to Approved or Denied, and from Approved to Consumed; each step is one
// conditional statement. Minting belongs to grants, the pages to signin.
package device
