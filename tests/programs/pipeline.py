"""A pipeline: numbers, three goroutines that square them, one channel of results; ended by its source, by a reader who
has had enough, by a deadline, and by a stage that fails. Every stage ends, whatever happened.
"""

import sys
from itertools import count

from gonet import chan, context, go, recv, select, send, sync, time
from runtime import NumGoroutine


class Overflow(Exception):
    pass


def numbers(ctx, n):
    def run():
        for i in range(1, n + 1) if n else count(1):
            if select(send(out, i), recv(ctx.Done()))[0] == 1:
                break
        out.close()

    out = chan()
    go(run)
    return out


def squares(ctx, source, fail, limit):
    def run():
        try:
            for i in source:
                if limit and i * i > limit:
                    fail(Overflow("a square is too large"))
                    return
                match select(send(out, i * i), ctx.Done()):
                    case 1, _, _:
                        return
        finally:
            out.close()

    out = chan()
    go(run)
    return out


def merge(ctx, ins):
    def copy(source):
        for v in source:
            if select(send(out, v), recv(ctx.Done()))[0] == 1:
                break
        wg.Done()

    def close():
        wg.Wait()
        out.close()

    out, wg = chan(), sync.WaitGroup()
    for source in ins:
        wg.Add(1)
        go(copy, source)
    go(close)
    return out


def pipeline(ctx, n, limit):
    ctx, cancel = context.WithCancelCause(ctx)
    source = numbers(ctx, n)
    return merge(ctx, [squares(ctx, source, cancel, limit) for _ in range(3)]), ctx, cancel


def ended(what):
    """Wait until nothing is left of a pipeline."""
    while NumGoroutine() > 1:
        time.Sleep(time.Millisecond)
    print(what, "goroutines left:", NumGoroutine())


def go_text(x):
    """As Go prints it."""
    return {None: "<nil>", True: "true", False: "false"}[x] if x is None or isinstance(x, bool) else str(x)


def say(*args):
    print(*map(go_text, args))


n = int(sys.argv[1]) if sys.argv[1:] else 300
background = context.WithValue(context.Background(), "name", "all the squares")

out, ctx, cancel = pipeline(background, n, 0)
got = sorted(out)
say(ctx.Value("name"), len(got), got[0], got[-1], sum(got))
say("error before cancel:", ctx.Err(), context.Cause(ctx))
cancel(None)
say("error after cancel:", ctx.Err(), "cause:", context.Cause(ctx))
ended("to the end;")

out, ctx, cancel = pipeline(background, 0, 0)
seen = set()
while len(seen) < 25:
    seen.add(out.recv())
cancel(Exception("25 are enough"))
say("reader:", len(seen), ctx.Err(), "cause:", context.Cause(ctx))
for _ in out:  # what was on its way
    pass
ended("canceled;")

timed, stop = context.WithTimeout(background, 20 * time.Millisecond)
out, ctx, cancel = pipeline(timed, 0, 0)
for _ in out:  # until then
    pass
_, has_deadline = ctx.Deadline()
say("timeout:", has_deadline, ctx.Err(), "is it:", isinstance(ctx.Err(), context.DeadlineExceeded))
stop()
cancel(None)
ended("timed out;")

out, ctx, cancel = pipeline(background, 0, 1000)
largest = max(out)
say("failure:", largest <= 31 * 31, ctx.Err(), "cause:", context.Cause(ctx))
cancel(None)
ended("failed;")

child, stop_child = context.WithCancel(ctx)
say("a child of the canceled:", child.Err(), "cause:", context.Cause(child))
stop_child()
kept = context.WithoutCancel(ctx)
say("without its end:", kept.Err(), kept.Value("name"), kept.Value("nothing") is None)
_, has_deadline = kept.Deadline()
say("deadline:", has_deadline, "done:", kept.Done() is not None)
