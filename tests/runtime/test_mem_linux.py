"""The heap in huge pages: when it is put there, how far, and what holds it up."""

from __future__ import annotations

import ctypes
import errno
import mmap

import pytest

from gonet import chan, go
from runtime import mem_linux, sysmon
from runtime.mem_linux import MADV_COLLAPSE, MANY, Heap, getHugePageSize
from runtime.rawsys import madvise
from tests.helpers import runs

pytestmark = pytest.mark.usefixtures("nothing_left_over")

MB = 1 << 20


def collapses():
    """Whether this kernel makes huge pages when asked to."""
    size = getHugePageSize()
    if size == 0:
        return False
    with mmap.mmap(-1, 2 * size, flags=mmap.MAP_PRIVATE) as m:
        m.write(bytes(2 * size))
        probe = ctypes.c_char.from_buffer(m)
        first = -(-ctypes.addressof(probe) // size) * size
        del probe
        return madvise(first, size, MADV_COLLAPSE) == 0


@pytest.fixture
def many():
    """As many goroutines as it takes, parked."""
    ended = chan()
    for _ in range(MANY):
        go(lambda: ended.recv())
    yield
    ended.close()


@pytest.fixture
def calls(monkeypatch):
    """A heap from 3 MB to 9.5 MB with huge pages of 2 MB; what madvise is called with, and what it answers."""

    class Calls(list):
        top = 19 * MB // 2
        answer = 0

        def madvise(self, *args):
            self.append(args)
            return self.answer

    calls = Calls()
    others = Heap()
    others.pagesize = 0
    monkeypatch.setattr(sysmon, "heap", others)  # the monitor's own does not come in between
    monkeypatch.setattr(mem_linux, "madvise", calls.madvise)
    monkeypatch.setattr(mem_linux, "heaptop", lambda: calls.top)
    monkeypatch.setattr(mem_linux, "_heapbottom", lambda: 3 * MB)
    monkeypatch.setattr(mem_linux, "getHugePageSize", lambda: 2 * MB)
    return calls


def test_every_whole_page_once(many, calls):
    h = Heap()
    assert [h.advance() for _ in range(4)] == [True, True, False, False]
    assert calls == [(4 * MB, 2 * MB, MADV_COLLAPSE), (6 * MB, 2 * MB, MADV_COLLAPSE)]


def test_what_the_heap_grows_by_follows(many, calls):
    h = Heap()
    while h.advance():
        pass
    calls.clear()
    calls.top += MB // 4
    assert not h.advance()
    calls.top += 2 * MB
    assert h.advance() and not h.advance()
    assert calls == [(8 * MB, 2 * MB, MADV_COLLAPSE)]


def test_what_it_gives_back_and_takes_again_is_new(many, calls):
    h = Heap()
    while h.advance():
        pass
    calls.clear()
    calls.top = 5 * MB
    assert not h.advance()
    calls.top = 9 * MB
    assert h.advance() and h.advance() and not h.advance()
    assert [start for start, _, _ in calls] == [4 * MB, 6 * MB]


def test_few_goroutines_are_left_alone(calls):
    h = Heap()
    assert not h.advance()
    assert calls == [] and h.pagesize == -1


def test_a_page_that_is_refused_does_not_hold_up_the_next(many, calls):
    h = Heap()
    calls.answer = -errno.ENOMEM
    assert h.advance()
    calls.answer = -errno.EAGAIN
    assert h.advance() and not h.advance()
    assert [start for start, _, _ in calls] == [4 * MB, 6 * MB]


def test_a_kernel_that_does_not_know_the_advice_is_asked_once(many, calls):
    h = Heap()
    calls.answer = -errno.EINVAL
    assert not h.advance() and not h.advance()
    assert len(calls) == 1


def test_without_a_descriptor_it_is_tried_again(many, calls, monkeypatch):
    def fails():
        raise OSError(errno.EMFILE, "Too many open files")

    h = Heap()
    with monkeypatch.context() as m:
        m.setattr(mem_linux, "_heapbottom", fails)
        assert not h.advance() and not h.advance()
    assert h.advance()


@pytest.mark.parametrize("bottom, top", [(0, 19 * MB // 2), (3 * MB, 0)])
def test_no_heap(many, calls, monkeypatch, bottom, top):
    monkeypatch.setattr(mem_linux, "_heapbottom", lambda: bottom)
    calls.top = top
    h = Heap()
    assert not h.advance() and h.pagesize == 0 and calls == []


@pytest.mark.parametrize(
    "enabled, size, want",
    [
        ("always [madvise] never\n", "2097152\n", 2 * MB),
        ("[always] madvise never\n", "33554432\n", 32 * MB),
        ("always madvise [never]\n", "2097152\n", 0),
        ("always [madvise] never\n", "many\n", 0),
        ("always [madvise] never\n", "0\n", 0),
        ("always [madvise] never\n", "-2097152\n", 0),
        ("always [madvise] never\n", "2097153\n", 0),
    ],
)
def test_the_size_is_the_systems(monkeypatch, enabled, size, want):
    files = {"enabled": enabled, "hpage_pmd_size": size}
    monkeypatch.setattr(mem_linux, "_text", lambda path: files[path.rpartition("/")[2]])
    assert getHugePageSize() == want


def test_a_system_without(monkeypatch, tmp_path):
    monkeypatch.setattr(mem_linux, "_THP", f"{tmp_path}/")
    assert getHugePageSize() == 0


HUGE = """
        def huge():  # KB of the heap
            kb, heap = 0, False
            for line in open("/proc/self/smaps"):
                first = line.split()[0]
                if not first.endswith(":"):
                    heap = line.rstrip().endswith("[heap]")
                elif heap and first == "AnonHugePages:":
                    kb += int(line.split()[1])
            return kb
        def parks():
            buf = bytearray(4096)
            semacquire(Sema())
        from runtime.mem_linux import heap
        for _ in range(3000):
            go(parks)
        gtime.Sleep(0.001)
"""


@pytest.mark.skipif(not collapses(), reason="no huge pages here")
def test_the_heap_of_many_goroutines():
    program = """
        until(lambda: huge() >= 8 << 10)
        say("huge")
    """
    assert runs(HUGE + program) == "huge\n"


def test_it_can_be_turned_off():
    program = """
        say(heap.advance(), heap.pagesize, huge())
    """
    assert runs(HUGE + program, env={"GODEBUG": "disablethp=1"}) == "False 0 0\n"
