"""What every test runs under: a watchdog, a line that says which form is tested, and a check for leftovers.

The watchdog is not a Python thread: one that is not parked would keep the runtime from seeing a deadlock. At the
limit SIGALRM's handler writes the goroutines' stacks, if the main thread still runs Python at all; a little later
faulthandler, which needs nobody's help, writes the threads' stacks and ends the process.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import random
import signal
import sys
import threading
import types
from collections.abc import Iterator
from time import monotonic, sleep  # the real ones, also in a test that patches the module time

import pytest

LIMIT = 120.0  # seconds for one test with its fixtures; a hundred times what the slowest takes
LAST_WORDS = 10.0  # seconds that the goroutines' stacks have before faulthandler ends it
QUIET_WITHIN = 10.0  # seconds in which what a test started must be gone

_stderr = 2  # replaced by a duplicate that pytest does not capture


def pytest_configure(config: pytest.Config) -> None:
    global _stderr
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background, by a shell without job control
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which child programs inherit as the default
    config.addinivalue_line("markers", "limit(seconds): how long this test may take before the run is ended")
    config.addinivalue_line("markers", "schedseeds: run this test under many seeds of the scheduler (--schedseeds)")
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        _stderr = os.dup(2)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gonet")
    text = "run tests marked schedseeds under the scheduler's seeds 1 to N as well (default: 20)"
    group.addoption("--schedseeds", type=int, default=20, metavar="N", help=text)
    group.addoption("--schedseed", type=int, metavar="SEED", help="run them under this seed alone, to see it again")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test marked schedseeds first as any other, then under each seed, with the same fixtures' values."""
    if pyfuncitem.get_closest_marker("schedseeds") is None:
        return None
    from runtime.schedseed import setschedseed

    only, n = pyfuncitem.config.getoption("--schedseed"), pyfuncitem.config.getoption("--schedseeds")
    args = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    for seed in range(n + 1) if only is None else [only]:
        setschedseed(seed)
        random.seed(seed or None)  # what a test itself draws, or seeds a generator of its own with
        try:
            pyfuncitem.obj(**args)
        except BaseException:
            if seed:
                pyfuncitem.add_report_section("call", "seed", f"pytest --schedseed {seed} shows it again")
            raise
        finally:
            setschedseed(0)
            random.seed()
    return True


def pytest_report_header(config: pytest.Config) -> str:
    try:
        import runtime
    except Exception as err:
        return f"gonet: cannot be imported: {err!r}"
    form = "compiled" if getattr(runtime, "compiled", False) else "pure Python"
    return f"gonet: {form}, from {os.path.dirname(runtime.__file__ or '?')}"


def goroutines() -> str:
    """The stacks of all goroutines, or why there are none to show."""
    runtime = sys.modules.get("runtime")
    try:
        return str(runtime.Stack(True)) if runtime else "runtime is not imported"
    except Exception as err:
        return f"no goroutine stacks: {err!r}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    marker = item.get_closest_marker("limit")
    limit = float(marker.args[0]) if marker else LIMIT
    if item.get_closest_marker("schedseeds") is not None:
        limit *= max(1.0, item.config.getoption("--schedseeds") / 20)

    def last_words(signum: int, frame: types.FrameType | None) -> None:
        text = f"\n{item.nodeid}: still running after {limit} s\n{goroutines()}\n"
        os.write(_stderr, text.encode(errors="replace"))

    watched = threading.current_thread() is threading.main_thread()
    if watched:
        previous = signal.signal(signal.SIGALRM, last_words)
        signal.setitimer(signal.ITIMER_REAL, limit)
    faulthandler.dump_traceback_later(limit + LAST_WORDS, exit=True, file=_stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
        if watched:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)


def open_files() -> set[tuple[int, str]]:
    """(number, what it is) of every descriptor of this process; empty where /proc is not mounted."""
    found = set()
    try:
        numbers = os.listdir("/proc/self/fd")
    except OSError:
        return found
    for number in numbers:
        try:
            found.add((int(number), os.readlink(f"/proc/self/fd/{number}")))
        except OSError:
            pass  # the one that listed the directory
    return found


def _wake_the_poller() -> None:
    """Lets the runtime open the descriptors it keeps for the life of the process."""
    try:
        from gonet import net, time

        net.Listen("tcp", "127.0.0.1:0").Close()
        time.Sleep(0.002)  # it opens what wakes it for signals when it first sleeps
    except Exception as err:
        print(f"the poller could not be started: {err!r}")


@pytest.fixture
def nothing_left_over() -> Iterator[None]:
    """After the test there are no more goroutines than before it, and no descriptor that was not open.

    For a whole module: pytestmark = pytest.mark.usefixtures("nothing_left_over")
    """
    import runtime

    _wake_the_poller()
    count, files = runtime.NumGoroutine(), open_files()
    yield
    gc.collect()  # a conn dropped unclosed is not what is looked for; Go's finalizer closes it too
    give_up = monotonic() + QUIET_WITHIN
    while runtime.NumGoroutine() > count or open_files() - files:
        if monotonic() > give_up:
            left = "\n".join(f"  descriptor {number}: {what}" for number, what in sorted(open_files() - files))
            pytest.fail(
                f"left over after {QUIET_WITHIN} s: got {runtime.NumGoroutine()} goroutines, want {count}\n"
                f"{left}\n{goroutines()}",
                pytrace=False,
            )
        runtime.Gosched()
        sleep(0.001)
