// Go: the go statement, joined by a WaitGroup. Run with GOMAXPROCS=1. Prints what spawn/__init__.py describes.
package main

import (
	"flag"
	"fmt"
	"sync"
	"syscall"
	"time"
)

const batchSize = 1000

var wg sync.WaitGroup

func batch(n int) {
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() { wg.Done() }()
	}
	wg.Wait()
}

func single(n int) {
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
}

func processTime() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func cost(fn func(int), d time.Duration) float64 {
	for i := 0; i < 3; i++ {
		fn(batchSize)
	}
	done := 0
	began := processTime()
	for until := time.Now().Add(d); time.Now().Before(until); done += batchSize {
		fn(batchSize)
	}
	return float64(processTime()-began) / float64(done)
}

func main() {
	seconds := flag.Float64("seconds", 1, "how long each of the two is repeated")
	flag.Parse()
	d := time.Duration(*seconds * float64(time.Second))
	fmt.Printf("{\"batch_ns\": %.1f, \"single_ns\": %.1f}\n", cost(batch, d), cost(single, d))
}
