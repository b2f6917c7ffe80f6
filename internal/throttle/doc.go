// Package throttle slows down guessing. It counts failures per account,
// address, tenant or whatever its callers name, in memory, and refuses an
// attempt before the secret is looked at when failures alone fill a bucket.
// A restart forgets everything, and each process counts alone.
//
// A Limiter is the arithmetic: which rules there are, what a key is, and what a
// client is told belongs to its callers. A Guard is that for passwords, client
// secrets and user codes: one rule book for all services, and their error.
//
// # How a bucket counts
//
// A bucket holds failures and attempts in flight, together never more than
// its rule's Burst; one failure leaks out per Interval. An attempt charges all
// its buckets at once, or none: while it waits or is refused it holds nothing,
// so nothing can deadlock and a slow account never occupies its tenant's bucket.
// An attempt that meets only others in flight waits in line until one of them
// ends. So many parallel correct logins of one person are never refused, and
// parallel guesses never see more than Burst secrets checked. Where strangers
// could keep a line long, a rule has none (NoLine) and refuses them instead.
//
// # Memory, and why a hot bucket is not evicted cheaply
//
// There are at most maxBuckets buckets of about 150 bytes each, the map
// included. Keys are hashed with two random seeds of the limiter, so their length
// costs nothing and nobody can aim at a collision. A bucket without failures
// and attempts goes at once when its last attempt ends; one whose failures
// have leaked out goes when a look at two random buckets, made by every attempt
// that needs a new one, comes across it.
//
// When all maxBuckets are in use, a new one takes the place of the bucket with
// the fewest failures (of equals, the one nearest to empty) among sixteen
// drawn at random, and never of one with attempts in flight. Someone who
// wants the k failures of an account forgotten must therefore first leave k
// failures in nearly every other bucket: if a share f of the buckets has that
// many, one eviction hits the account with a chance of at most f to the power
// of 15, times 16 divided by maxBuckets. Each failed attempt adds one failure to
// each of its two or three buckets, so that takes a good part of k times
// maxBuckets failed attempts, all of them within about one Interval, because
// afterwards they leak out again; and each is charged to its address and tenant
// as well. The price buys k guesses; waiting k Intervals buys the same for
// nothing. Spraying names once each only evicts other sprayed names, and a
// successful attempt evicts nothing for long, because the bucket made for it is
// gone when it ends. Comparing failures and not the share of Burst keeps
// this true between rules: a rule with a Burst of one cannot be used to fill
// the memory with "full" buckets at one attempt each.
//
// When every bucket has attempts in flight, which takes as many concurrent
// requests, a new one is refused for a second rather than let through uncounted.
package throttle
