"""100,000 goroutines at once: all waiting on one channel; then a chain of a tenth, and a tree."""

import sys

from gonet import chan, go, sync, time
from gonet.sync import atomic
from runtime import NumGoroutine


def ended():
    while NumGoroutine() > 1:
        time.Sleep(time.Millisecond)


def gate(n):
    """Have n goroutines wait on a channel until it is closed."""

    def one(i):
        ready.send(i)
        opened.recv()
        total.Add(i)
        wg.Done()

    ready, opened = chan(), chan()
    wg, total = sync.WaitGroup(), atomic.Int64()
    wg.Add(n)
    for i in range(n):
        go(one, i)
    for _ in range(n):
        ready.recv()
    print("at once:", NumGoroutine())
    opened.close()
    wg.Wait()
    print("sum:", total.Load())
    ended()


def chain(n):
    """Have n goroutines each hand on what the next one gives, and 1 more."""

    def link(left, right):
        left.send(1 + right.recv())

    first = left = chan()
    for _ in range(n):
        right = chan()
        go(link, left, right)
        left = right
    left.send(0)
    print("chain:", first.recv())
    ended()


def tree(depth, out):
    """Count its leaves, each node a goroutine."""
    if depth == 0:
        out.send(1)
        return
    source = chan()
    go(tree, depth - 1, source)
    go(tree, depth - 1, source)
    out.send(source.recv() + source.recv())


n = int(sys.argv[1]) if sys.argv[1:] else 100_000
gate(n)
chain(n // 10)
out = chan()
depth = 0
while 16 << depth <= n:
    depth += 1
go(tree, depth, out)
print("leaves:", out.recv())
ended()
print("goroutines:", NumGoroutine())
