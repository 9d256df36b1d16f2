"""Power series: each is a channel of its coefficients, made by goroutines from the channels of others. Feedback gives
the series that are defined by themselves: exp(f) is 1 + the integral of exp(f) f'.
"""

import sys
from collections import deque
from fractions import Fraction
from itertools import chain, count, repeat

from gonet import chan, go, recv, select, send, time
from runtime import Goexit, NumGoroutine

done = chan()  # closed when nothing is wanted any more


def put(out, v):
    if select(send(out, v), recv(done))[0] == 1:
        Goexit()


def get(source):
    i, v, _ = select(recv(source), recv(done))
    if i == 1:
        Goexit()
    return v


def coefficients(source):
    while True:
        yield get(source)


def series(generator):
    """A goroutine that puts what the generator yields; its channel."""

    def run():
        for v in generator:
            put(out, v)

    out = chan()
    go(run)
    return out


def split(source):
    """Two series with the coefficients of one, that may be read at different speeds."""

    def run():
        queues = deque(), deque()
        while True:
            wanted = source if not all(queues) else None
            cases = [send(out, q[0]) if q else None for out, q in zip(outs, queues)]
            match select(*cases, recv(wanted), recv(done)):
                case 2, v, _:
                    for q in queues:
                        q.append(v)
                case 3, _, _:
                    return
                case i, _, _:
                    queues[i].popleft()

    outs = chan(), chan()
    go(run)
    return outs


def poly(*cs):
    """These coefficients, and zeros after them."""
    return series(map(Fraction, chain(cs, repeat(0))))


def shift(c, f):
    return series(chain([c], coefficients(f)))


def add(f, g):
    return series(get(f) + get(g) for _ in count())


def scale(c, f):
    return series(c * get(f) for _ in count())


def mul(f, g):
    """With f = f0 + x F and g = g0 + x G it is f0 g0 + x (f0 G + g0 F + x F G)."""

    def run():
        f0, g0 = get(f), get(g)
        yield f0 * g0
        f1, f2 = split(f)
        g1, g2 = split(g)
        yield from coefficients(add(add(scale(f0, g1), scale(g0, f1)), shift(Fraction(0), mul(f2, g2))))

    return series(run())


def derive(f):
    def run():
        get(f)
        for n in count(1):
            yield n * get(f)

    return series(run())


def integrate(c, f):
    def run():
        yield Fraction(c)
        for n in count(1):
            yield get(f) / n

    return series(run())


def compose(f, g):
    """f(g), for a g that begins with 0: f0 + x G F(g)."""

    def run():
        yield get(f)
        g1, g2 = split(g)
        get(g1)
        yield from coefficients(mul(g1, compose(f, g2)))

    return series(run())


def fix(define):
    """The series s for which s = define(s); define must give a coefficient before it reads one."""

    def run():
        for v in coefficients(define(back)):
            put(s, v)

    s = chan()
    out, back = split(s)
    go(run)
    return out


def recip(f):
    """1/f: with f = f0 + x F and r the result, r = 1/f0 - x F r/f0."""

    def run():
        r0 = 1 / get(f)
        yield from coefficients(fix(lambda r: shift(r0, scale(-r0, mul(f, r)))))

    return series(run())


def exp(f):
    return fix(lambda e: integrate(1, mul(e, derive(f))))


def tan():
    return fix(lambda t: integrate(0, add(poly(1), mul(*split(t)))))


def revert(f):
    """The r with f(r) = x, for an f that begins with 0: with f = x F, r = x/F(r)."""

    def run():
        get(f)
        yield from coefficients(fix(lambda r: shift(Fraction(0), recip(compose(f, r)))))

    return series(run())


def show(name, f, n):
    print(f"{name}:", *(f.recv() for _ in range(n)))


n = int(sys.argv[1]) if sys.argv[1:] else 6
show("1/(1-x)", recip(poly(1, -1)), n)
show("1/(1-x-x^2)", recip(poly(1, -1, -1)), n)
show("(1+2x+3x^2)^2", mul(poly(1, 2, 3), poly(1, 2, 3)), n)
show("exp(x)", exp(poly(0, 1)), n)
show("exp(x) exp(-x)", mul(exp(poly(0, 1)), exp(poly(0, -1))), n)
log1, log2 = split(integrate(0, recip(poly(1, 1))))
show("log(1+x)", log1, n)
show("exp(log(1+x))", exp(log2), n)
show("exp(x) after x+x^2", compose(exp(poly(0, 1)), poly(0, 1, 1)), n)
show("tan(x)", tan(), n)
show("arctan(x)", revert(tan()), n)
show("derivative of arctan(x)", derive(revert(tan())), n - 1)
print("many goroutines:", "true" if NumGoroutine() > 100 else "false")
done.close()
while NumGoroutine() > 1:
    time.Sleep(time.Millisecond)
print("goroutines in the end:", NumGoroutine())
