"""Bounded parallelism: checksums of many texts by a few goroutines; first fixed workers, then a goroutine each and a
channel as semaphore, then an error that stops the rest.
"""

import sys
from zlib import crc32

from gonet import chan, go, recv, select, send, time
from runtime import Gosched, NumGoroutine


def text(i):
    return f"line {i}\n" * (i % 17 + 1)


def names(done, n):
    def run():
        for i in range(n):
            if select(send(out, i), recv(done))[0] == 1:
                break
        out.close()

    out = chan()
    go(run)
    return out


def gauge():
    """Counts how many are at work, and the most that ever were."""

    def run():
        now = highest = 0
        while True:
            match select(recv(enter), recv(leave), send(most, highest)):
                case 0, _, _:
                    now += 1
                    highest = max(highest, now)
                case 1, _, _:
                    now -= 1
                case _:
                    return

    enter, leave, most = chan(), chan(), chan()
    go(run)
    return enter, leave, most


def digest(i, broken):
    if i == broken:
        return None, ValueError(f"text {i} is broken")
    return (f"text {i}", crc32(text(i).encode())), None


def worker(done, source, out, enter, leave, ended, broken):
    for i in source:
        enter.send(True)
        r = digest(i, broken)
        Gosched()
        leave.send(True)
        if select(send(out, r), recv(done))[0] == 1:
            break
    ended.send(True)


def report(everything):
    everything.sort()
    total = 0
    for i, (name, checksum) in enumerate(everything):
        total = (total * 31 + checksum) & 0xFFFFFFFF
        if i % 40 == 0:
            print(f"{name}: {checksum:08x}")
    print(f"{len(everything)} texts, together {total:08x}")


def by_workers(n, workers, broken):
    """Have the texts digested by as many workers; the results, and the first error."""

    def close():
        for _ in range(workers):
            ended.recv()
        out.close()

    done, out, ended = chan(), chan(), chan()
    enter, leave, most = gauge()
    source = names(done, n)
    for _ in range(workers):
        go(worker, done, source, out, enter, leave, ended, broken)
    go(close)
    everything, error = [], None
    for r, err in out:
        if err is None:
            everything.append(r)
        elif error is None:
            error = err
            done.close()
    return everything, most.recv(), error


def by_semaphore(n, limit):
    """Start a goroutine for each text; a buffered channel lets a few of them work at once."""

    def one(i):
        free.send(True)
        enter.send(True)
        r, _ = digest(i, -1)
        Gosched()
        leave.send(True)
        free.recv()
        out.send(r)

    out, free = chan(), chan(limit)
    enter, leave, most = gauge()
    for i in range(n):
        go(one, i)
    return [out.recv() for _ in range(n)], most.recv()


def yes(x):
    return "true" if x else "false"


n = int(sys.argv[1]) if sys.argv[1:] else 400
everything, most, error = by_workers(n, 8, -1)
report(everything)
print("workers: never more than 8 at once:", yes(most <= 8), "error:", error or "<nil>")
everything, most = by_semaphore(n, 8)
report(everything)
print("semaphore: never more than 8 at once:", yes(most <= 8))
everything, _, error = by_workers(n, 8, n // 2)
print("error:", error, "the rest was left out:", yes(len(everything) < n - 1))
while NumGoroutine() > 1:
    time.Sleep(time.Millisecond)
print("goroutines:", NumGoroutine())
