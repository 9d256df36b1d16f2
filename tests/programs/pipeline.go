// A pipeline: numbers, three goroutines that square them, one channel of results; ended by its source, by a reader who
// has had enough, by a deadline, and by a stage that fails. Every stage ends, whatever happened.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"time"
)

type key string

var errOverflow = errors.New("a square is too large")

func numbers(ctx context.Context, n int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for i := 1; n == 0 || i <= n; i++ {
			select {
			case out <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func squares(ctx context.Context, in <-chan int, fail context.CancelCauseFunc, limit int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for i := range in {
			if limit > 0 && i*i > limit {
				fail(errOverflow)
				return
			}
			select {
			case out <- i * i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func merge(ctx context.Context, ins []<-chan int) <-chan int {
	out := make(chan int)
	var wg sync.WaitGroup
	for _, in := range ins {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for v := range in {
				select {
				case out <- v:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

func pipeline(ctx context.Context, n, limit int) (<-chan int, context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	source := numbers(ctx, n)
	var ins []<-chan int
	for range 3 {
		ins = append(ins, squares(ctx, source, cancel, limit))
	}
	return merge(ctx, ins), ctx, cancel
}

// ended waits until nothing is left of a pipeline.
func ended(what string) {
	for runtime.NumGoroutine() > 1 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(what, "goroutines left:", runtime.NumGoroutine())
}

func main() {
	n := 300
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	background := context.WithValue(context.Background(), key("name"), "all the squares")

	out, ctx, cancel := pipeline(background, n, 0)
	var got []int
	for v := range out {
		got = append(got, v)
	}
	sort.Ints(got)
	sum := 0
	for _, v := range got {
		sum += v
	}
	fmt.Println(ctx.Value(key("name")), len(got), got[0], got[len(got)-1], sum)
	fmt.Println("error before cancel:", ctx.Err(), context.Cause(ctx))
	cancel(nil)
	fmt.Println("error after cancel:", ctx.Err(), "cause:", context.Cause(ctx))
	ended("to the end;")

	out, ctx, cancel = pipeline(background, 0, 0)
	seen := map[int]bool{}
	for len(seen) < 25 {
		seen[<-out] = true
	}
	cancel(errors.New("25 are enough"))
	fmt.Println("reader:", len(seen), ctx.Err(), "cause:", context.Cause(ctx))
	for range out { // what was on its way
	}
	ended("canceled;")

	timed, stop := context.WithTimeout(background, 20*time.Millisecond)
	out, ctx, cancel = pipeline(timed, 0, 0)
	for range out { // until then
	}
	_, set := ctx.Deadline()
	fmt.Println("timeout:", set, ctx.Err(), "is it:", errors.Is(ctx.Err(), context.DeadlineExceeded))
	stop()
	cancel(nil)
	ended("timed out;")

	out, ctx, cancel = pipeline(background, 0, 1000)
	largest := 0
	for v := range out {
		largest = max(largest, v)
	}
	fmt.Println("failure:", largest <= 31*31, ctx.Err(), "cause:", context.Cause(ctx))
	cancel(nil)
	ended("failed;")

	child, stopChild := context.WithCancel(ctx)
	fmt.Println("a child of the canceled:", child.Err(), "cause:", context.Cause(child))
	stopChild()
	kept := context.WithoutCancel(ctx)
	fmt.Println("without its end:", kept.Err(), kept.Value(key("name")), kept.Value(key("nothing")) == nil)
	_, set = kept.Deadline()
	fmt.Println("deadline:", set, "done:", kept.Done() != nil)
}
