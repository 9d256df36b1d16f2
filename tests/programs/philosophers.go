// The dining philosophers. A fork is a channel that holds it; three rules that keep them from starving: everyone takes
// the fork with the lower number first; a waiter keeps one away from the table; who cannot have both puts the first back.
// Then once more with locks for forks, and with one lock and a condition.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
)

const seats = 5

type event struct {
	who  int
	eats bool
}

type table struct {
	forks  [seats]chan bool
	locks  [seats]sync.Mutex
	cond   *sync.Cond
	taken  [seats]bool // guarded by cond.L
	events chan event
}

func lay() *table {
	t := &table{events: make(chan event), cond: sync.NewCond(new(sync.Mutex))}
	for i := range t.forks {
		t.forks[i] = make(chan bool, 1)
		t.forks[i] <- true
	}
	return t
}

// watch follows the events of so many meals: who ate how often, the most at once, and how often neighbours did.
func (t *table) watch(meals int) (ate [seats]int, most, neighbours int) {
	var eating [seats]bool
	now := 0
	for range 2 * meals * seats {
		e := <-t.events
		eating[e.who] = e.eats
		if !e.eats {
			now--
			continue
		}
		now++
		most = max(most, now)
		ate[e.who]++
		if eating[(e.who+1)%seats] || eating[(e.who+seats-1)%seats] {
			neighbours++
		}
	}
	return
}

func (t *table) eat(i int) {
	t.events <- event{i, true}
	runtime.Gosched()
	t.events <- event{i, false}
}

func (t *table) inOrder(i, meals int) {
	first, second := min(i, (i+1)%seats), max(i, (i+1)%seats)
	for range meals {
		<-t.forks[first]
		runtime.Gosched()
		<-t.forks[second]
		t.eat(i)
		t.forks[second] <- true
		t.forks[first] <- true
	}
}

func (t *table) withWaiter(waiter chan bool, i, meals int) {
	for range meals {
		waiter <- true
		<-t.forks[i]
		runtime.Gosched()
		<-t.forks[(i+1)%seats]
		t.eat(i)
		t.forks[i] <- true
		t.forks[(i+1)%seats] <- true
		<-waiter
	}
}

func (t *table) politely(i, meals int) {
	for meals > 0 {
		<-t.forks[i]
		runtime.Gosched()
		select {
		case <-t.forks[(i+1)%seats]:
			t.eat(i)
			t.forks[(i+1)%seats] <- true
			meals--
		default:
		}
		t.forks[i] <- true
		runtime.Gosched()
	}
}

func (t *table) locked(i, meals int) {
	first, second := min(i, (i+1)%seats), max(i, (i+1)%seats)
	for range meals {
		t.locks[first].Lock()
		runtime.Gosched()
		t.locks[second].Lock()
		t.eat(i)
		t.locks[second].Unlock()
		t.locks[first].Unlock()
	}
}

func (t *table) condition(i, meals int) {
	right := (i + 1) % seats
	for range meals {
		t.cond.L.Lock()
		for t.taken[i] || t.taken[right] {
			t.cond.Wait()
		}
		t.taken[i], t.taken[right] = true, true
		t.cond.L.Unlock()
		t.eat(i)
		t.cond.L.Lock()
		t.taken[i], t.taken[right] = false, false
		t.cond.Broadcast()
		t.cond.L.Unlock()
	}
}

func dine(rule string, meals int, philosopher func(t *table, i int)) {
	t := lay()
	for i := range seats {
		go philosopher(t, i)
	}
	ate, most, neighbours := t.watch(meals)
	for i, n := range ate {
		fmt.Printf("%s: philosopher %d has eaten %d times\n", rule, i, n)
	}
	fmt.Printf("%s: at most two at once: %v, neighbours at once: %d\n", rule, most <= seats/2, neighbours)
}

func main() {
	meals := 200
	if len(os.Args) > 1 {
		meals, _ = strconv.Atoi(os.Args[1])
	}
	dine("in order", meals, func(t *table, i int) { t.inOrder(i, meals) })
	waiter := make(chan bool, seats-1)
	dine("waiter", meals, func(t *table, i int) { t.withWaiter(waiter, i, meals) })
	dine("politely", meals, func(t *table, i int) { t.politely(i, meals) })
	dine("locks", meals, func(t *table, i int) { t.locked(i, meals) })
	dine("condition", meals, func(t *table, i int) { t.condition(i, meals) })
}
