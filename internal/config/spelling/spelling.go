// Package spelling finds the known name that somebody probably meant. What
// the names stand for, and the sentence around them, belongs to its callers.
package spelling

import "strings"

// longest bounds the words that are compared, so that a huge one costs nothing.
const longest = 64

// Nearest returns the name in known that is nearest to word, and whether one
// is near enough to be meant: one slip (a letter too many, missing, wrong or
// swapped with its neighbour) in every three letters, three at most. Case does
// not count. Of equally near names the first is returned.
func Nearest(word string, known []string) (string, bool) {
	if len(word) > longest {
		return "", false
	}
	best, found := min(3, max(1, len(word)/3))+1, ""
	for _, name := range known {
		if len(name) > longest {
			continue
		}
		if d := distance([]rune(strings.ToLower(word)), []rune(strings.ToLower(name))); d < best && d < len(name) {
			best, found = d, name
		}
	}
	return found, found != ""
}

// distance is the optimal string alignment distance of a and b.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range b {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
