// A rate limiter: a bucket of tokens that a ticker fills. What is printed does not depend on how fast it all goes.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

type limiter struct {
	tokens chan bool
	stop   chan bool
	ended  chan bool
}

// newLimiter allows burst requests at once and then one in every interval; none but the burst if interval is 0.
func newLimiter(interval time.Duration, burst int) *limiter {
	l := &limiter{make(chan bool, burst), make(chan bool), make(chan bool)}
	for range burst {
		l.tokens <- true
	}
	var ticks <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		ticks = ticker.C
	}
	go func() {
		defer close(l.ended)
		for {
			select {
			case <-ticks:
				l.fill()
			case <-l.stop:
				return
			}
		}
	}()
	return l
}

// fill adds a token, unless the bucket is full.
func (l *limiter) fill() bool {
	select {
	case l.tokens <- true:
		return true
	default:
		return false
	}
}

func (l *limiter) wait() { <-l.tokens }

func (l *limiter) allow() bool {
	select {
	case <-l.tokens:
		return true
	default:
		return false
	}
}

func (l *limiter) waitFor(d time.Duration) bool {
	select {
	case <-l.tokens:
		return true
	case <-time.After(d):
		return false
	}
}

func (l *limiter) close() {
	close(l.stop)
	<-l.ended
}

func main() {
	n := 30
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	const interval = 2 * time.Millisecond
	const burst = 4

	requests := make(chan int, n)
	for i := range n {
		requests <- i
	}
	close(requests)
	begin := time.Now()
	l := newLimiter(interval, burst)
	for i := range requests {
		l.wait()
		fmt.Println("request", i)
	}
	least := time.Duration(n-burst) * interval
	fmt.Println("not faster than it may be:", time.Since(begin) >= least)
	l.close()

	begin = time.Now()
	l = newLimiter(interval, 1)
	served := make(chan int)
	for who := range 3 {
		go func() {
			for range n / 3 {
				l.wait()
				served <- who
			}
		}()
	}
	var counts [3]int
	for range n / 3 * 3 {
		counts[<-served]++
	}
	least = time.Duration(n/3*3-1) * interval
	fmt.Println("three at one limiter:", counts, "not faster than it may be:", time.Since(begin) >= least)
	l.close()

	l = newLimiter(0, burst)
	for i := range burst + 2 {
		fmt.Println("at once:", i, l.allow())
	}
	fmt.Println("within 5 ms:", l.waitFor(5*time.Millisecond))
	fmt.Println("filled:", l.fill(), "within 10 s:", l.waitFor(10*time.Second))
	for i := range burst + 1 {
		fmt.Println("fill:", i, l.fill())
	}
	l.close()
}
