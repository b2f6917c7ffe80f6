package directory

import (
	"strconv"
	"testing"
	"time"
)

func TestTheCacheIsBoundedAndKeepsTheRecent(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache(time.Minute, func() time.Time { return now })
	for i := range maxKnown {
		c.put(strconv.Itoa(i), Profile{Username: "old"})
	}
	now = now.Add(59 * time.Second)
	for i := range 3 * maxKnown {
		name := "new" + strconv.Itoa(i)
		c.put(name, Profile{Username: name})
		if p, ok := c.get(name); !ok || p.Username != name {
			t.Fatalf("got %+v, %t right after", p, ok)
		}
		if len(c.people) > maxKnown {
			t.Fatalf("%d are remembered", len(c.people))
		}
	}
	now = now.Add(time.Minute)
	if _, ok := c.get("new" + strconv.Itoa(3*maxKnown-1)); ok {
		t.Error("remembered beyond the time")
	}
}
