"""The benchmark: gonet, Go's net, gevent, uvloop and asyncio at the same work, one after the other, round upon round.

    python -m tests.bench.run                      all of it, about 30 minutes; writes docs/benchmark.{md,svg}
    python -m tests.bench.run --quick              about ten seconds, for CI: does everything work? never: is it fast?
    python -m tests.bench.run --servers gonet,go --scenarios echo-100x64,churn --rounds 3 --seconds 2
    python -m tests.bench.report build/bench/results.json --out docs        the report again, from kept results

One idea a file, from the bottom up:

    hist.h watch.h load.c   the load generator; it also samples the server's CPU time and memory
    servers/                an echo server for each rival; prints `ready PORT`
    spawn/                  the cost of starting a goroutine, greenlet or task and having it finish
    ops/                    channels, select, Mutex, Gosched, timers; 100,000 goroutines parked or not started
    contestants.py          who takes part: commands, and how to tell whether they can run here
    scenarios.py            what is measured
    toolchain.py            builds load.c and the Go programs into build/bench
    machine.py              which CPUs to pin to, and what the report says of the machine
    measure.py              one measurement: a fresh server process, one load, one result
    run.py                  the rounds and the command line
    figures.py              from raw results to medians and ratios
    bars.py                 the ratios that gonet promises
    tables.py chart.py report.py        docs/benchmark.md and docs/benchmark.svg

Linux only: the load generator uses epoll, /proc and 127.0.0.2.
"""
