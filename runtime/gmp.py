"""The structs of the scheduler: G, M, P, sched; their statuses and wait reasons.

Mirrors Go src/runtime/runtime2.go. Data only: who does what with it stands in proc (scheduling), mthread (threads),
time (timers) and netpoll (descriptors).

Differs from Go: a P and its M are made together and stay together, since a goroutine that has run belongs to its M's
thread for ever (a greenlet cannot change threads); a P beyond GOMAXPROCS only drains. What Go reaches through getg()
is reached through getm().curg.

Guards
  M.* and P.runnext, P.gfree, P.schedtick: the thread of that M.   P.runq, sched.runq: any thread; each deque
  operation is atomic.   sched.allgs: any thread; add and discard are atomic.   Other fields of sched: sched itself,
  which is a mutex.   Lock order: sched, then a PollDesc, then a timers; Hchans by address, then a selectDone. No other
  two are ever held at once.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from runtime.asm import gqueue, mutex
from runtime.nocopy import nocopy
from runtime.note import note

# Go's numbers, so that a dump reads alike.
_Gidle = 0  # just allocated
_Grunnable = 1  # on a run queue
_Grunning = 2  # owns its M's thread
_Gsyscall = 3  # a helper M runs its blocking call; nobody but exitsyscall makes it runnable
_Gwaiting = 4  # parked; whoever holds it (pollDesc, sudog, timer) must ready it
_Gdead = 6  # finished

_Pidle = 0
_Prunning = 1
_Psyscall = 2
_Pgcstop = 3
_Pdead = 4  # retired by GOMAXPROCS: takes nothing new, runs what is wired to it

waitReasonZero = 0
waitReasonIOWait = 1
waitReasonChanReceive = 2
waitReasonChanSend = 3
waitReasonSelect = 4
waitReasonSelectNoCases = 5
waitReasonSleep = 6
waitReasonSemacquire = 7
waitReasonSyncCondWait = 8
waitReasonSyncMutexLock = 9
waitReasonSyncRWMutexRLock = 10
waitReasonSyncRWMutexLock = 11
waitReasonSyncWaitGroupWait = 12
waitReasonSyscall = 13
waitReasonGoexit = 14
waitReasonChanReceiveNilChan = 15
waitReasonChanSendNilChan = 16
waitReasonSynctestRun = 17
waitReasonSynctestWait = 18

waitReasonStrings = (
    "",
    "IO wait",
    "chan receive",
    "chan send",
    "select",
    "select (no cases)",
    "sleep",
    "semacquire",
    "sync.Cond.Wait",
    "sync.Mutex.Lock",
    "sync.RWMutex.RLock",
    "sync.RWMutex.Lock",
    "sync.WaitGroup.Wait",
    "syscall",
    "goexit",
    "chan receive (nil chan)",
    "chan send (nil chan)",
    "synctest.Run",
    "synctest.Wait",
)

# What a case of a select, or a goroutine in the queue of a channel, would do: Go's selectDir.
selectSend = 1
selectRecv = 2

# How far a sudog has come.
sudogIdle = 0
sudogQueued = 1
sudogDone = 2  # its value has been handed over, or it has been handed one
sudogClosed = 3  # the channel was closed

_statusStrings = {_Gidle: "idle", _Grunnable: "runnable", _Grunning: "running", _Gsyscall: "syscall",
                  _Gwaiting: "waiting", _Gdead: "dead"}  # fmt: skip


class _Outcome:
    """What takes the place of a value that was not received."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


chanBlocks = _Outcome("chanBlocks")  # there is nothing to receive yet
chanClosed = _Outcome("chanClosed")  # there will never be


class WaitLock(mutex):
    """What a goroutine parks on: Go's unlockf and lock in one, with a way out. This one parks for ever."""

    __slots__ = ()

    def unlockf(self, gp: G, mode: int) -> bool:
        """Commit the park, once gp may be readied; False calls it off."""
        return True

    def cancelf(self, gp: G, mode: int) -> bool:
        """From any thread: take gp from whoever would ready it; False if that one is about to ready it already."""
        return True

    def durable(self, bubble: Any) -> bool:
        """Whether only goroutines of this bubble (and its time) can end the wait; see synctest."""
        return type(self) is WaitLock


class G:
    """A goroutine: what it runs, where it stands, and whom it belongs to. Source: Go src/runtime/runtime2.go g."""

    __slots__ = (
        "__weakref__",
        "args",
        "bubble",
        "ctx",
        "durable",
        "fn",
        "goid",
        "gopc",
        "gr",
        "injected",
        "kwargs",
        "lockedExt",
        "m",
        "param",
        "parentgoid",
        "status",
        "waitlock",
        "waitmode",
        "waitreason",
        "waitsince",
        "wasg0",
    )

    def __init__(self) -> None:
        self.goid = 0
        self.status = _Gidle
        self.waitreason = waitReasonZero
        self.lockedExt = 0  # LockOSThread calls outstanding
        self.parentgoid = 0
        self.wasg0 = False  # a signal handler blocked on g0's stack and made a goroutine of it
        self.durable = False  # parked, and not counted as running by its bubble
        self.waitsince = 0  # about when it parked (ns): filled in by sysmon or a dump, 0 until then
        self.fn: Any = None
        self.args: Any = None
        self.kwargs: Any = None
        self.ctx: Any = None  # contextvars.Context to start in; None for a fresh one
        self.gopc: Any = None  # callersite() of the go call
        self.gr: Any = None  # its stack; None until it first runs
        self.m: Any = None  # the M whose thread it belongs to; None until it first runs
        self.waitlock: Any = None  # the WaitLock it is parked on,
        self.waitmode = 0  # and which of its sides
        self.injected: Any = None  # exception to raise where the park returns
        self.param: Any = None  # left by the waker for the woken
        self.bubble: Any = None  # Bubble: the synctest.Run it belongs to

    def __repr__(self) -> str:
        return f"<goroutine {self.goid} [{self.state()}]>"

    def __reduce__(self) -> Any:
        return nocopy(self, "a goroutine")

    def state(self) -> str:
        """The state as a goroutine dump words it: "running", "IO wait", "chan receive", ...

        Source: Go src/runtime/traceback.go goroutineheader.
        """
        if self.status == _Gwaiting and 0 < self.waitreason < len(waitReasonStrings):
            return waitReasonStrings[self.waitreason]
        return _statusStrings.get(self.status, "???")


class M:
    """An OS thread that runs goroutines, or (isextra) a foreign thread that has called in and runs only itself."""

    __slots__ = (
        "base",
        "blocked",
        "curg",
        "g0",
        "id",
        "ident",
        "isextra",
        "nextg",
        "nextstack",
        "nwired",
        "p",
        "park",
        "procid",
        "refused",
        "starter",
        "stopping",
    )

    def __init__(self) -> None:
        self.id = 0
        self.ident = 0  # the thread's
        self.procid = 0  # what the kernel calls it, of a foreign thread
        self.isextra = False
        self.stopping = False  # its P is retired: exit once nothing is wired here
        self.nwired = 0  # goroutines that have run here and are not dead; main not counted
        self.blocked = 0  # 1: asleep in netpoll, 2: asleep on park, 0: awake (or about to look at its queues again),
        # 3: at rest, as the process ends
        self.g0: Any = None  # the goroutine whose stack starts others and sleeps in the poller
        self.curg: Any = None  # running goroutine, None on g0
        self.nextg: Any = None  # handed to g0 to be run
        self.base: Any = None  # the thread's own stack, which starts all others (_mstart); None on the main thread
        self.nextstack: Any = None  # handed to it to be started,
        self.starter: Any = None  # and the stack to go back to then
        self.p: Any = None  # None for an extra M
        self.refused: Any = None  # exception for who has just tried to park where nobody can, not even g0
        self.park = note()


class P:
    """The right to run goroutines, with the queues that go with it."""

    __slots__ = (
        "gfree",
        "goidcache",
        "goidcacheend",
        "id",
        "inherit",
        "m",
        "preempt",
        "runnext",
        "runq",
        "schedtick",
        "status",
        "sysmontick",
        "sysmonwhen",
        "timers",
    )

    def __init__(self, id: int, timers: Any) -> None:
        self.id = id
        self.status = _Pidle
        self.m: Any = None
        self.schedtick = 0  # one more at every switch that does not inherit its slice
        self.preempt = False  # set by sysmon: the slice of 10 ms is spent
        self.inherit = False  # the G last taken was runnext: it shares the slice of its waker
        self.runnext: Any = None
        self.runq = gqueue()
        self.gfree: Any = []  # stacks of finished goroutines, parked in goroutine_entry
        self.timers = timers
        self.goidcache = 0
        self.goidcacheend = 0
        self.sysmontick = 0  # schedtick as sysmon last saw it,
        self.sysmonwhen = 0  # and when (ns)


class NetPoller(mutex):
    """What a platform's poller supplies to the scheduler (Go src/runtime/netpoll.go, its opening comment).

    Its lock is held, with trylock, by the one thread that polls.
    """

    __slots__ = ("signals",)

    def __init__(self) -> None:
        mutex.__init__(self)
        self.signals = False  # whether opensignals has been called

    def opensignals(self) -> int:
        """On the main thread: have signals end the sleep."""
        return 0

    def netpoll(self, delay: int) -> Any:
        """Wait delay ns (< 0 for ever, 0 not at all) and return the list of Gs that have become ready.

        The caller holds the lock. Returns early, with an empty list, after netpollBreak or a signal; what a signal
        handler raises comes out.
        """
        return []

    def netpollBreak(self) -> int:
        """Make the netpoll that sleeps now, or else the next one, return. From any thread."""
        return 0


class Sched(mutex):
    """The scheduler's one instance, itself the lock of the fields below it."""

    __slots__ = (
        "allgs",
        "allm",
        "allp",
        "bubbles",
        "exiting",
        "extram",
        "finq",
        "forkepoch",
        "goidgen",
        "gomaxprocs",
        "iowitness",
        "lastpoll",
        "m0",
        "maing",
        "mnext",
        "nmspinning",
        "nsyscall",
        "own_starting",
        "own_threads",
        "poller",
        "polluntil",
        "preempt",
        "recheck",
        "runq",
        "seeded",
        "sysmonnote",
        "sysmonstarted",
        "sysmonwait",
    )

    def __init__(self) -> None:
        mutex.__init__(self)
        self.allgs: set[G] = set()  # every goroutine not yet dead; what keeps a parked one alive
        self.allm: list[M] = []
        self.allp: list[P] = []
        self.extram: Any = {}  # ident -> M of adopted threads
        self.finq: Any = deque()  # (f, arg): what finalizers have left to be done, f(arg), where locks may be taken
        self.runq = gqueue()  # goroutines that belong to no P yet
        self.gomaxprocs = 1
        self.exiting = False  # the program ends: every M but M 0 goes to rest where it is next looked for work
        self.goidgen = 0
        self.mnext = 0
        self.m0: Any = None
        self.maing: Any = None
        self.poller: Any = None  # NetPoller once netpollinit has run
        self.lastpoll = 0  # nanotime of the last poll; 0 while somebody sleeps in it
        self.polluntil = 0  # if lastpoll is 0: when that sleep ends (ns); 0 never
        self.preempt = False  # some P.preempt has been set of late: checkpreempt is worth calling
        self.bubbles = 0  # synctest.Runs under way: preempt is set for good, for rare things are to be looked at
        self.seeded = False  # GODEBUG=schedseed: preempt is set for good, and choices are drawn (schedseed.py)
        self.recheck = False  # whoever stops running should break the poll: it may sleep upon a deadlock
        self.nmspinning = 0  # 1 from waking an idle M until it looks: nobody wakes a second for the same reason
        self.nsyscall = 0  # Syscalls under way
        self.own_threads = 0  # live threads that are the runtime's own (Ms, helpers, sysmon),
        self.own_starting = 0  # and those that were started and have not run yet
        self.iowitness: Any = None  # a goroutine last seen in IO wait: spares checkdead the search
        self.sysmonwait = False
        self.sysmonstarted = False
        self.sysmonnote = note()
        self.forkepoch = 0  # one more in every forked child


sched = Sched()


def foreigngs() -> list[G]:
    """The goroutines of adopted threads, without those of which one is about to end."""
    gs: list[Any] = [mp.curg for mp in list(sched.extram.values())]
    return [gp for gp in gs if gp is not None]
