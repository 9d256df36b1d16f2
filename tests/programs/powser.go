// Power series: each is a channel of its coefficients, made by goroutines from the channels of others. Feedback gives
// the series that are defined by themselves: exp(f) is 1 + the integral of exp(f) f'.
package main

import (
	"fmt"
	"math/big"
	"os"
	"runtime"
	"strconv"
	"time"
)

type series chan *big.Rat

var done = make(chan bool) // closed when nothing is wanted any more

func put(out series, v *big.Rat) {
	select {
	case out <- v:
	case <-done:
		runtime.Goexit()
	}
}

func get(in series) *big.Rat {
	select {
	case v := <-in:
		return v
	case <-done:
		runtime.Goexit()
		return nil
	}
}

func rat(a, b int64) *big.Rat         { return big.NewRat(a, b) }
func plus(a, b *big.Rat) *big.Rat     { return new(big.Rat).Add(a, b) }
func times(a, b *big.Rat) *big.Rat    { return new(big.Rat).Mul(a, b) }
func start(f func(out series)) series { out := make(series); go f(out); return out }
func pass(in, out series) {
	for {
		put(out, get(in))
	}
}
func shift(c *big.Rat, f series) series { return start(func(out series) { put(out, c); pass(f, out) }) }

// split gives two series with the coefficients of one, that may be read at different speeds.
func split(in series) (series, series) {
	outs := [2]series{make(series), make(series)}
	go func() {
		var queues [2][]*big.Rat
		for {
			var from series
			var to [2]series
			var first [2]*big.Rat
			for i, q := range queues {
				if len(q) > 0 {
					to[i], first[i] = outs[i], q[0]
				} else {
					from = in
				}
			}
			select {
			case v := <-from:
				queues[0], queues[1] = append(queues[0], v), append(queues[1], v)
			case to[0] <- first[0]:
				queues[0] = queues[0][1:]
			case to[1] <- first[1]:
				queues[1] = queues[1][1:]
			case <-done:
				return
			}
		}
	}()
	return outs[0], outs[1]
}

// poly has these coefficients, and zeros after them.
func poly(cs ...int64) series {
	return start(func(out series) {
		for _, c := range cs {
			put(out, rat(c, 1))
		}
		for {
			put(out, new(big.Rat))
		}
	})
}

func add(f, g series) series {
	return start(func(out series) {
		for {
			put(out, plus(get(f), get(g)))
		}
	})
}

func scale(c *big.Rat, f series) series {
	return start(func(out series) {
		for {
			put(out, times(c, get(f)))
		}
	})
}

// mul: with f = f0 + x F and g = g0 + x G it is f0 g0 + x (f0 G + g0 F + x F G).
func mul(f, g series) series {
	return start(func(out series) {
		f0, g0 := get(f), get(g)
		put(out, times(f0, g0))
		f1, f2 := split(f)
		g1, g2 := split(g)
		pass(add(add(scale(f0, g1), scale(g0, f1)), shift(new(big.Rat), mul(f2, g2))), out)
	})
}

func derive(f series) series {
	return start(func(out series) {
		get(f)
		for n := int64(1); ; n++ {
			put(out, times(rat(n, 1), get(f)))
		}
	})
}

func integrate(c *big.Rat, f series) series {
	return start(func(out series) {
		put(out, c)
		for n := int64(1); ; n++ {
			put(out, times(rat(1, n), get(f)))
		}
	})
}

// compose is f(g), for a g that begins with 0: f0 + x G F(g).
func compose(f, g series) series {
	return start(func(out series) {
		put(out, get(f))
		g1, g2 := split(g)
		get(g1)
		pass(mul(g1, compose(f, g2)), out)
	})
}

// fix is the series s for which s = define(s); define must give a coefficient before it reads one.
func fix(define func(s series) series) series {
	s := make(series)
	out, back := split(s)
	go pass(define(back), s)
	return out
}

// recip is 1/f: with f = f0 + x F and r the result, r = 1/f0 - x F r/f0.
func recip(f series) series {
	return start(func(out series) {
		r0 := new(big.Rat).Inv(get(f))
		pass(fix(func(r series) series { return shift(r0, scale(new(big.Rat).Neg(r0), mul(f, r))) }), out)
	})
}

func exp(f series) series {
	return fix(func(e series) series { return integrate(rat(1, 1), mul(e, derive(f))) })
}

func tan() series {
	return fix(func(t series) series {
		a, b := split(t)
		return integrate(new(big.Rat), add(poly(1), mul(a, b)))
	})
}

// revert is the r with f(r) = x, for an f that begins with 0: with f = x F, r = x/F(r).
func revert(f series) series {
	return start(func(out series) {
		get(f)
		pass(fix(func(r series) series { return shift(new(big.Rat), recip(compose(f, r))) }), out)
	})
}

func show(name string, f series, n int) {
	fmt.Print(name, ":")
	for range n {
		fmt.Print(" ", (<-f).RatString())
	}
	fmt.Println()
}

func main() {
	n := 6
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	show("1/(1-x)", recip(poly(1, -1)), n)
	show("1/(1-x-x^2)", recip(poly(1, -1, -1)), n)
	show("(1+2x+3x^2)^2", mul(poly(1, 2, 3), poly(1, 2, 3)), n)
	show("exp(x)", exp(poly(0, 1)), n)
	show("exp(x) exp(-x)", mul(exp(poly(0, 1)), exp(poly(0, -1))), n)
	log := integrate(new(big.Rat), recip(poly(1, 1)))
	log1, log2 := split(log)
	show("log(1+x)", log1, n)
	show("exp(log(1+x))", exp(log2), n)
	show("exp(x) after x+x^2", compose(exp(poly(0, 1)), poly(0, 1, 1)), n)
	show("tan(x)", tan(), n)
	show("arctan(x)", revert(tan()), n)
	show("derivative of arctan(x)", derive(revert(tan())), n-1)
	fmt.Println("many goroutines:", runtime.NumGoroutine() > 100)
	close(done)
	for runtime.NumGoroutine() > 1 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("goroutines in the end:", runtime.NumGoroutine())
}
