package recent_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/recent"
)

var start = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

func TestAValueIsRememberedForItsSpanAndNotLonger(t *testing.T) {
	m := recent.New[string, int](10, time.Second)
	m.Keep("a", 1, start, m.Turn())
	for after, want := range map[time.Duration]bool{
		0: true, time.Second - 1: true, time.Second: false, time.Hour: false, -1: false,
	} {
		if got, found := m.Find("a", start.Add(after)); found != want || (found && got != 1) {
			t.Errorf("after %s: %d, %t", after, got, found)
		}
	}
	// A value kept late in its generation outlives the next turn of it.
	m.Keep("b", 2, start.Add(900*time.Millisecond), m.Turn())
	m.Keep("c", 3, start.Add(1100*time.Millisecond), m.Turn())
	if _, found := m.Find("b", start.Add(1800*time.Millisecond)); !found {
		t.Error("b is forgotten before its time")
	}
	if _, found := m.Find("d", start); found {
		t.Error("what was never kept is found")
	}
}

func TestItNeverHoldsMoreThanItsLimit(t *testing.T) {
	m := recent.New[string, int](100, time.Second)
	for i := range 1000 {
		m.Keep(strconv.Itoa(i), i, start, m.Turn())
	}
	held := 0
	for i := range 1000 {
		if _, found := m.Find(strconv.Itoa(i), start); found {
			held++
		}
	}
	if _, newest := m.Find("999", start); held > 100 || !newest {
		t.Errorf("%d are held, the newest %t", held, newest)
	}
	for range 1000 { // what is kept again takes no more room
		m.Keep("999", 0, start, m.Turn())
	}
	if _, found := m.Find("990", start); !found {
		t.Error("keeping one value again forgets others")
	}
}

func TestAnUnlimitedSpanDoesNotEnd(t *testing.T) {
	m := recent.New[string, int](10, recent.Unlimited)
	m.Keep("a", 1, start, m.Turn())
	if _, found := m.Find("a", start.AddDate(100, 0, 0)); !found {
		t.Error("a value is forgotten")
	}
}

func TestWhatWasLookedUpBeforeAForgettingIsNotKept(t *testing.T) {
	m := recent.New[string, int](10, time.Second)
	m.Keep("a", 1, start, m.Turn())
	turn := m.Turn()
	m.Forget()
	m.Keep("b", 2, start, turn)
	for _, key := range []string{"a", "b"} {
		if _, found := m.Find(key, start); found {
			t.Errorf("%s is found", key)
		}
	}
	m.Keep("b", 3, start, m.Turn())
	if got, found := m.Find("b", start); !found || got != 3 {
		t.Errorf("got %d, %t", got, found)
	}
}

func TestADroppedValueIsForgottenAlone(t *testing.T) {
	m := recent.New[string, int](4, time.Second)
	for i, key := range []string{"a", "b", "c"} { // the first two are of the generation before
		m.Keep(key, i, start, m.Turn())
	}
	m.Drop("a")
	m.Drop("c")
	for key, want := range map[string]bool{"a": false, "b": true, "c": false} {
		if _, found := m.Find(key, start); found != want {
			t.Errorf("%s is found: %t", key, found)
		}
	}
}

func TestManyMayUseItAtOnce(t *testing.T) {
	m := recent.New[string, int](50, time.Second)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				key := strconv.Itoa(i % 60)
				if value, found := m.Find(key, start); found && value != i%60 {
					t.Errorf("%s has the value %d", key, value)
				}
				m.Keep(key, i%60, start, m.Turn())
				if worker == 0 && i%100 == 0 {
					m.Forget()
				}
			}
		})
	}
	all.Wait()
}
