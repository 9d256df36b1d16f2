// Go: the same operations. Run with GOMAXPROCS=1. Prints what ops/__init__.py describes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	windows = 5
	single  = 20000
)

type op struct {
	name   string
	repeat func(int)
}

func roundTrip(n int) {
	there, back := make(chan int), make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			back <- <-there
		}
	}()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
}

func buffered(n int) {
	ch := make(chan int, 16)
	for i := 0; i < n; i++ {
		ch <- i
		<-ch
	}
}

func stream(n int) {
	ch := make(chan int, 16)
	go func() {
		for i := 0; i < n; i++ {
			ch <- i
		}
		close(ch)
	}()
	for range ch {
	}
}

func selectReady(n int) {
	a, b := make(chan int, 1), make(chan int, 1)
	for i := 0; i < n; i++ {
		if i&1 == 0 {
			a <- i
		} else {
			b <- i
		}
		select {
		case <-a:
		case <-b:
		}
	}
}

func selectWait(n int) {
	a, b := make(chan int), make(chan int)
	go func() {
		for i := 0; i < n; i++ {
			if i&1 == 0 {
				a <- i
			} else {
				b <- i
			}
		}
	}()
	for i := 0; i < n; i++ {
		select {
		case <-a:
		case <-b:
		}
	}
}

func mutex(n int) {
	var mu sync.Mutex
	for i := 0; i < n; i++ {
		mu.Lock()
		mu.Unlock()
	}
}

func gosched(n int) {
	var wg sync.WaitGroup
	yield := func() {
		for i := 0; i < n/2; i++ {
			runtime.Gosched()
		}
		wg.Done()
	}
	wg.Add(2)
	go yield()
	yield()
	wg.Wait()
}

func timer(n int) {
	for i := 0; i < n; i++ {
		time.AfterFunc(time.Hour, func() {}).Stop()
	}
}

var connection = sync.OnceValue(func() net.Conn {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	return conn
})

func deadline(n int) {
	conn := connection()
	for i := 0; i < n; i++ {
		conn.SetReadDeadline(time.Now().Add(time.Hour))
	}
}

func singles(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
}

func parked(n int) map[string]float64 {
	count := min(n, single)
	singles(count / 10)
	var spawn []float64
	for i := 0; i < windows; i++ {
		spawn = append(spawn, float64(took(singles, count/windows))/float64(count/windows))
	}
	ch := make(chan int)
	var wg sync.WaitGroup
	waiting := 0
	before := resident()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			waiting++
			<-ch
			wg.Done()
		}()
	}
	for waiting < n {
		runtime.Gosched()
	}
	kb := float64(resident()-before) / 1024 / float64(n)
	wake := took(func(int) {
		close(ch)
		wg.Wait()
	}, n)
	return map[string]float64{"kb": kb, "wake_ns": float64(wake) / float64(n), "spawn_ns": median(spawn)}
}

// The scheduler preempts this goroutine after 10 ms: some have run by then, and their memory has been used again.
func unstarted(n int) map[string]float64 {
	var wg sync.WaitGroup
	before := resident()
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() { wg.Done() }()
	}
	kb := float64(resident()-before) / 1024 / float64(n)
	wg.Wait()
	return map[string]float64{"kb_unstarted": kb}
}

func resident() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, pages int
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &pages); err != nil {
		panic(err)
	}
	return pages * os.Getpagesize()
}

func processTime() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func took(repeat func(int), n int) int64 {
	began := processTime()
	repeat(n)
	return processTime() - began
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func cost(repeat func(int), seconds float64) float64 {
	window := seconds / windows * 1e9
	count := 16
	spent := took(repeat, count)
	for float64(spent) < window/8 {
		count *= 2
		spent = took(repeat, count)
	}
	count = max(1, int(float64(count)*window/float64(spent)))
	var costs []float64
	for i := 0; i < windows; i++ {
		costs = append(costs, float64(took(repeat, count))/float64(count))
	}
	return median(costs)
}

func main() {
	seconds := flag.Float64("seconds", 0.3, "how long each operation is repeated")
	crowd := flag.Int("crowd", 0, "measure so many goroutines at once instead")
	state := flag.String("state", "parked", "parked or unstarted")
	flag.Parse()
	result := map[string]float64{}
	switch {
	case *crowd == 0:
		for _, op := range []op{
			{"round_trip", roundTrip}, {"buffered", buffered}, {"stream", stream}, {"select", selectReady},
			{"select_wait", selectWait}, {"mutex", mutex}, {"gosched", gosched}, {"timer", timer}, {"deadline", deadline},
		} {
			result[op.name+"_ns"] = cost(op.repeat, *seconds)
		}
	case *state == "parked":
		result = parked(*crowd)
	default:
		result = unstarted(*crowd)
	}
	text, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
