// 100,000 goroutines at once: all waiting on one channel; then a chain of a tenth, and a tree.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func ended() {
	for runtime.NumGoroutine() > 1 {
		time.Sleep(time.Millisecond)
	}
}

// gate has n goroutines wait on a channel until it is closed.
func gate(n int) {
	ready, open := make(chan int), make(chan bool)
	var wg sync.WaitGroup
	var sum atomic.Int64
	wg.Add(n)
	for i := range n {
		go func() {
			ready <- i
			<-open
			sum.Add(int64(i))
			wg.Done()
		}()
	}
	for range n {
		<-ready
	}
	fmt.Println("at once:", runtime.NumGoroutine())
	close(open)
	wg.Wait()
	fmt.Println("sum:", sum.Load())
	ended()
}

// chain has n goroutines each hand on what the next one gives, and 1 more.
func chain(n int) {
	first := make(chan int)
	left := first
	for range n {
		right := make(chan int)
		go func(left, right chan int) { left <- 1 + <-right }(left, right)
		left = right
	}
	left <- 0
	fmt.Println("chain:", <-first)
	ended()
}

// tree counts its leaves, each node a goroutine.
func tree(depth int, out chan<- int) {
	if depth == 0 {
		out <- 1
		return
	}
	in := make(chan int)
	go tree(depth-1, in)
	go tree(depth-1, in)
	out <- <-in + <-in
}

func main() {
	n := 100000
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	gate(n)
	chain(n / 10)
	out := make(chan int)
	depth := 0
	for 16<<depth <= n {
		depth++
	}
	go tree(depth, out)
	fmt.Println("leaves:", <-out)
	ended()
	fmt.Println("goroutines:", runtime.NumGoroutine())
}
