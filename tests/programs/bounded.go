// Bounded parallelism: checksums of many texts by a few goroutines; first fixed workers, then a goroutine each and a
// channel as semaphore, then an error that stops the rest.
package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

type result struct {
	name string
	sum  uint32
	err  error
}

func text(i int) string {
	return strings.Repeat(fmt.Sprintf("line %d\n", i), i%17+1)
}

func names(done <-chan bool, n int) <-chan int {
	out := make(chan int)
	go func() {
		defer close(out)
		for i := 0; i < n; i++ {
			select {
			case out <- i:
			case <-done:
				return
			}
		}
	}()
	return out
}

// gauge counts how many are at work, and the most that ever were.
func gauge() (enter, leave chan bool, most chan int) {
	enter, leave, most = make(chan bool), make(chan bool), make(chan int)
	go func() {
		now, highest := 0, 0
		for {
			select {
			case <-enter:
				now++
				highest = max(highest, now)
			case <-leave:
				now--
			case most <- highest:
				return
			}
		}
	}()
	return
}

func digest(i int, broken int) result {
	if i == broken {
		return result{err: errors.New("text " + strconv.Itoa(i) + " is broken")}
	}
	return result{name: "text " + strconv.Itoa(i), sum: crc32.ChecksumIEEE([]byte(text(i)))}
}

func worker(done <-chan bool, in <-chan int, out chan<- result, enter, leave chan bool, ended chan<- bool, broken int) {
	defer func() { ended <- true }()
	for i := range in {
		enter <- true
		r := digest(i, broken)
		runtime.Gosched()
		leave <- true
		select {
		case out <- r:
		case <-done:
			return
		}
	}
}

func report(all []result) {
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	total := uint32(0)
	for i, r := range all {
		total = total*31 + r.sum
		if i%40 == 0 {
			fmt.Printf("%s: %08x\n", r.name, r.sum)
		}
	}
	fmt.Printf("%d texts, together %08x\n", len(all), total)
}

// byWorkers has the texts digested by as many workers; the results, and the first error.
func byWorkers(n, workers, broken int) (all []result, most int, err error) {
	done, out, ended := make(chan bool), make(chan result), make(chan bool)
	enter, leave, highest := gauge()
	in := names(done, n)
	for range workers {
		go worker(done, in, out, enter, leave, ended, broken)
	}
	go func() {
		for range workers {
			<-ended
		}
		close(out)
	}()
	for r := range out {
		if r.err == nil {
			all = append(all, r)
		} else if err == nil {
			err = r.err
			close(done)
		}
	}
	return all, <-highest, err
}

// bySemaphore starts a goroutine for each text; a buffered channel lets a few of them work at once.
func bySemaphore(n, limit int) (all []result, most int) {
	out, free := make(chan result), make(chan bool, limit)
	enter, leave, highest := gauge()
	for i := range n {
		go func() {
			free <- true
			enter <- true
			r := digest(i, -1)
			runtime.Gosched()
			leave <- true
			<-free
			out <- r
		}()
	}
	for range n {
		all = append(all, <-out)
	}
	return all, <-highest
}

func main() {
	n := 400
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	all, most, err := byWorkers(n, 8, -1)
	report(all)
	fmt.Println("workers: never more than 8 at once:", most <= 8, "error:", err)
	all, most = bySemaphore(n, 8)
	report(all)
	fmt.Println("semaphore: never more than 8 at once:", most <= 8)
	all, _, err = byWorkers(n, 8, n/2)
	fmt.Println("error:", err, "the rest was left out:", len(all) < n-1)
	for runtime.NumGoroutine() > 1 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("goroutines:", runtime.NumGoroutine())
}
