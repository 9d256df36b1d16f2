"""Signal handlers of a program that runs uncompiled. What they may do is in test_main, for both forms."""

from __future__ import annotations

import textwrap

import pytest

from tests.helpers import PRELUDE, runs

PURE = {"GONET_PURE": "1"}


def pure(program, **kwargs):
    return runs(program, env=PURE, **kwargs)


def test_the_program_sees_its_own_handlers():
    program = """
        h1, h2 = (lambda *args: say(1)), (lambda *args: say(2))
        n = signal.SIGUSR1
        say(signal.signal(n, h1) is signal.SIG_DFL, signal.getsignal(n) is h1)
        say(signal.signal(n, h2) is h1, signal.getsignal(n) is h2)
        signal.raise_signal(n)
        say(signal.signal(n, signal.SIG_IGN) is h2, signal.getsignal(n) is signal.SIG_IGN)
        signal.raise_signal(n)
        say(signal.signal(n, h1) is signal.SIG_IGN)
        signal.raise_signal(n)
        say(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """
    assert pure(program) == "True True\nTrue True\n2\nTrue True\nTrue\n1\nTrue\n"


def test_misuse_is_refused_as_ever():
    program = """
        h = lambda *args: None
        signal.signal(signal.SIGUSR1, h)
        def refused(*args):
            try:
                signal.signal(*args)
            except (TypeError, ValueError, OSError) as e:
                say(type(e).__name__, signal.getsignal(signal.SIGUSR1) is h)
        refused(signal.SIGUSR1, "x")
        refused(signal.SIGUSR1, None)
        refused(4000, h)
        refused(signal.SIGKILL, h)
        t = threading.Thread(target=refused, args=(signal.SIGUSR1, print))
        t.start()
        t.join()
    """
    assert pure(program) == "TypeError True\nTypeError True\nValueError True\nOSError True\nValueError True\n"


def test_handlers_set_before_the_import_are_kept():
    program = """
        import signal
        def handler(signum, frame):
            print("handled", frame.f_code.co_name)
        signal.signal(signal.SIGUSR1, handler)
        import runtime
        def here():
            signal.raise_signal(signal.SIGUSR1)
        here()
        print(signal.getsignal(signal.SIGUSR1) is handler)
    """
    assert pure(program, prelude="") == "handled here\nTrue\n"


# A builtin that is a goroutine's function is called by the runtime's own line: what it raises comes there.
RAISE = "go(signal.raise_signal, signal.SIGUSR1)\n"


def test_one_that_comes_at_a_line_of_the_runtimes_is_handled_before_the_sleep():
    program = f"""
        from runtime.proc import getg
        s = Sema()
        def handler(*args):
            say(getg() is sched.m0.g0)
            semrelease(s)
        signal.signal(signal.SIGUSR1, handler)
        {RAISE}
        semacquire(s)
    """
    assert pure(program) == "True\n"


@pytest.mark.parametrize("what", ["raises", "blocks and raises"])
def test_one_that_comes_at_a_line_of_the_runtimes_and_raises_raises_in_main(what):
    program = f"""
        class Stop(Exception): pass
        def handler(*args):
            if {what!r} != "raises":
                gtime.Sleep(0.01)
            raise Stop
        signal.signal(signal.SIGUSR1, handler)
        {RAISE}
        try:
            gtime.Sleep(1000)
        except Stop:
            say("stopped")
        gtime.Sleep(0.001)
    """
    assert pure(program) == "stopped\n"


@pytest.mark.parametrize("raises", [False, True])
def test_one_that_was_put_off_is_handled_though_the_scheduler_never_sleeps(raises):
    """By the scheduler, and not by the luck that sysmon's next tick meets a line of the program's."""
    program = f"""
        import runtime.signals
        from runtime.proc import getg
        runtime.signals.resignal = lambda: None
        class Stop(Exception): pass
        def handler(*args):
            say(getg() is sched.m0.g0)
            if {raises}:
                raise Stop
        signal.signal(signal.SIGUSR1, handler)
        {RAISE}
        try:
            for _ in range(200):
                runtime.Gosched()
        except Stop:
            say("stopped")
        say("end")
    """
    assert pure(program) == ("True\nstopped\nend\n" if raises else "True\nend\n")


def test_one_that_was_put_off_comes_again_while_main_computes():
    program = f"""
        handled = []
        signal.signal(signal.SIGUSR1, lambda signum, frame: handled.append(frame.f_code.co_name))
        {RAISE}
        runtime.Gosched()
        assert handled == []
        def compute():
            end = time.monotonic() + 10
            while not handled and time.monotonic() < end:
                pass
        compute()
        time.sleep(0.1)
        say(handled)
    """
    assert pure(program) == "['compute']\n"


def test_one_that_was_put_off_is_forgotten_if_the_program_does_not_want_it_any_more():
    program = f"""
        signal.signal(signal.SIGUSR1, say)
        {RAISE}
        runtime.Gosched()
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        gtime.Sleep(0.1)
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
    """
    assert pure(program) == ""


def test_a_forked_child_does_not_get_what_its_parent_put_off():
    program = f"""
        signal.signal(signal.SIGUSR1, lambda *args: say(os.getpid() == parent))
        parent = os.getpid()
        {RAISE}
        runtime.Gosched()
        pid = os.fork()
        gtime.Sleep(0.1)
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    """
    assert pure(program) == "True\n"


@pytest.mark.parametrize("when", ["before the import", "after it"])
@pytest.mark.parametrize("handler", ["SIG_DFL", "lambda *args: say('handled')"])
def test_a_socket_raises_no_sigpipe_though_the_program_has_its_own_mind_about_that(when, handler):
    """In either form; what a pipe raises is the program's business."""
    change = f"import signal; from signal import SIG_DFL; signal.signal(signal.SIGPIPE, {handler})\n"
    program = """
        a, b = tcp_pair()
        data = bytearray(100_000)
        got = []
        def read():
            while sum(got) < len(data):
                got.append(b.Read(bytearray(1 << 20)))
        go(read)
        a.Write(data)
        until(lambda: sum(got) == len(data))
        b.Close()
        n = 0
        try:
            while True:
                n += a.Write(memoryview(data))
        except (BrokenPipeError, ConnectionResetError):
            say("told", n < 100_000_000)
        try:
            a.Write(b"x")
        except BrokenPipeError:
            say("told")
        r, w = os.pipe()
        os.set_blocking(w, False)
        p = FD(w)
        p.Init("file", True)
        say(p.Write(b"abc"), os.read(r, 5))
        p.Close()
    """
    wanted = "told True\ntold\n3 b'abc'\n"
    if when == "after it":
        assert runs(change.replace("; ", "\n") + textwrap.dedent(program)) == wanted
    else:
        assert runs(program, prelude=change + PRELUDE) == wanted
