// Package fair shares something scarce, such as connections, between those who
// ask for it, so that nobody who asks often or holds long takes it from
// everybody else. Who asks is a path, the widest group first: a network, then a
// person in it. What is scarce and who that is, is said by the users.
//
// A group may hold fewer slots than are free, and one in it fewer than are left
// to the group by that. So whoever is alone gets a good part of all slots,
// never all, and somebody new always finds a free one unless there are as many
// others as slots. Those who wait are served in turn: group by group, in each
// one after the other, and only then in the order of their arrival.
package fair
