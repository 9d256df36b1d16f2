"""The first primes, by a chain of goroutines: each passes on the numbers that its prime does not divide."""

import sys
from itertools import count

from gonet import chan, go


def generate(out):
    for i in count(2):
        out.send(i)


def filter_(source, out, prime):
    for i in source:
        if i % prime:
            out.send(i)


n = int(sys.argv[1]) if sys.argv[1:] else 100
ch = chan()
go(generate, ch)
for _ in range(n):
    prime = ch.recv()
    print(prime)
    following = chan()
    go(filter_, ch, following, prime)
    ch = following
