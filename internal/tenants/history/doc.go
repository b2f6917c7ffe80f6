// Package history keeps which fields of a record were changed, from what to
// what, when and by whom: one entry for every update that changed anything,
// in the transaction of the update, so that the entries of a record are one
// chain. Which records have a history, and who may change them, is the business
// of the packages above.
package history
