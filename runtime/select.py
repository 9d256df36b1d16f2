"""select: waiting for the first of several channel operations.

Mirrors Go src/runtime/select.go. Go locks all the channels from the first look to the park. Here the lot is drawn while
looking (each ready case in turn may take the place of the one chosen so far), and to wait, a sudog is put into each
queue one by one; if an operation has become possible meanwhile, all is taken back and tried anew, unless somebody has
decided the select already.

Invariants
  A select is decided once: by whoever sets hselect.done first, be it the other side of one of its operations, the
  select itself, which takes its sudogs back, or an exception (inject).
  When select returns, none of its sudogs is in a queue, and no value but the one received is held.

The default is chosen for what holds in one instant: if no case was ready one after the other, and none may have become
so since (Hchan.version), then none was when the look had ended.

Locks: see chan; one at a time.  Callers: any goroutine, any thread, signal handlers.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import LOCKS, lock, unlock
from runtime.chan import (
    Hchan,
    Sudog,
    acquireSudog,
    checkbubble,
    closechan,
    dequeueSudoG,
    releaseSudog,
    selectDone,
    selectnbrecv,
    selectnbsend,
)
from runtime.gmp import (
    G,
    chanBlocks,
    chanClosed,
    sched,
    selectRecv,
    selectSend,
    sudogClosed,
    sudogIdle,
    waitReasonChanReceiveNilChan,
    waitReasonChanSendNilChan,
    waitReasonSelect,
    waitReasonSelectNoCases,
)
from runtime.panic import Error
from runtime.proc import checkpreempt, gopark0, parkforever, raiseinjected
from runtime.rand import cheaprandn

__all__ = ["close", "recv", "scase", "select", "send"]


class scase:
    """One case of a select, made by send and recv."""

    __slots__ = ("c", "elem", "mode")

    c: Any
    elem: Any
    mode: int

    def __repr__(self) -> str:
        if self.mode == selectSend:
            return f"send({self.c!r}, {self.elem!r})"
        return f"recv({self.c!r})"


def send(ch: Any, v: Any, /) -> Any:
    """A case of select: send v on ch; never ready if ch is None.

    Raises: TypeError, if ch is no channel.  Source: Go src/reflect/value.go SelectCase.
    """
    if ch is not None and not isinstance(ch, Hchan):
        raise TypeError(f"send: a channel or None is wanted, not {type(ch).__name__!r}")
    return _newcase(ch, selectSend, v)


def recv(ch: Any, /) -> Any:
    """A case of select: receive from ch; never ready if ch is None.

    Raises: TypeError, if ch is no channel.  Source: Go src/reflect/value.go SelectCase.
    """
    if ch is not None and not isinstance(ch, Hchan):
        raise TypeError(f"recv: a channel or None is wanted, not {type(ch).__name__!r}")
    return _newcase(ch, selectRecv, None)


def _newcase(c: Any, mode: int, elem: Any) -> scase:
    cas = scase.__new__(scase)
    cas.c = c
    cas.mode = mode
    cas.elem = elem
    return cas


def close(ch: Any, /) -> None:
    """Close ch, as ch.close() does.

    Raises: Error, `close of nil channel` (None), `close of closed channel`; TypeError, if ch is no channel.
    Source: Go src/runtime/chan.go closechan.
    """
    if ch is not None and not isinstance(ch, Hchan):
        raise TypeError(f"close: a channel is wanted, not {type(ch).__name__!r}")
    closechan(ch)


class hselect(selectDone):
    """A select that waits: what its goroutine parks on."""

    __slots__ = ("sgs",)

    def __init__(self) -> None:
        selectDone.__init__(self)
        self.sgs: Any = None  # its sudogs

    def unlockf(self, gp: G, mode: int) -> bool:
        """Wait in every queue; call it off if an operation has become possible and nobody has decided the select."""
        for sg in self.sgs:
            if not sg.unlockf(gp, 0):
                return not _decide(self)
        return True

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take the select out of the race, if nobody has decided it."""
        return _decide(self)

    def durable(self, bubble: Any) -> bool:
        """Whether all its channels are the bubble's own."""
        for sg in self.sgs:
            if not sg.durable(bubble):
                return False
        return True


def _decide(sel: selectDone) -> bool:
    """Decide sel for none of its cases; False if it has been decided."""
    if LOCKS:
        lock(sel)
    undecided = not sel.done
    sel.done = True
    if LOCKS:
        unlock(sel)
    return undecided


def select(*cases: Any, default: bool = False) -> tuple[int, Any, bool]:
    """Wait until one of the cases can go on, and do that one: (its index, the value received or None, ok).

    A case is recv(ch), send(ch, v), a channel (a receive), or None (never ready). Among several that are ready the
    choice is uniform. ok is False for a send, and for a receive from a channel that is closed and drained. With
    default, (-1, None, False) at once if none is ready. With nothing to wait for it waits for ever.

    Raises: Error, `send on closed channel`; TypeError, if a case is nothing of the above.
    Source: Go src/runtime/select.go selectgo.
    """
    return selectgo(cases, not default)


def selectgo(cases: tuple[Any, ...], block: bool) -> tuple[int, Any, bool]:
    """select, with its cases in a tuple. Source: Go src/runtime/select.go selectgo."""
    if sched.preempt:
        checkpreempt()
        if sched.bubbles > 0:
            for x in cases:
                cas = _case(x, 0)
                if cas is not None:
                    checkbubble(cas.c, "select on")
    while True:
        # pass 1: look for something that can be done now
        got: Any = _choose(cases, block)
        if got is not None:
            return got  # type: ignore[no-any-return]
        if not block:
            return (-1, None, False)
        # pass 2: wait on all the channels
        sel = hselect()
        sgs: Any = _sudogs(cases, sel)
        if not sgs:
            _block(cases)
        sel.sgs = sgs
        injected = gopark0(sel, waitReasonSelect, 0)
        # pass 3: leave the queues
        sel.sgs = None
        won: Any = sel.won
        sel.won = None
        for sg in sgs:
            if sg is not won:
                dequeueSudoG(sg, sg.g)
                _release(sg)
        if won is not None:
            return _outcome(won)
        if injected:
            raiseinjected()


def _outcome(sg: Sudog) -> tuple[int, Any, bool]:
    """What select returns, decided by another goroutine's operation on sg."""
    i = sg.index
    v = sg.elem
    recvs = sg.mode == selectRecv
    closed = sg.state == sudogClosed
    _release(sg)
    if recvs:
        return (i, v, not closed)
    if closed:
        raise Error("send on closed channel")
    return (i, None, False)


def _release(sg: Sudog) -> int:
    sg.sel = None
    return releaseSudog(sg)


def _block(cases: tuple[Any, ...]) -> None:
    """Wait for ever, since no case has a channel. One case alone is for Go a receive or send like any other."""
    if len(cases) == 0:
        parkforever(waitReasonSelectNoCases)
    if len(cases) == 1:
        sends = cases[0] is not None and cases[0].mode == selectSend
        parkforever(waitReasonChanSendNilChan if sends else waitReasonChanReceiveNilChan)
    parkforever(waitReasonSelect)


def _case(x: Any, i: int) -> Any:
    """The case x, which stands at place i, as an scase; None if it is never ready."""
    if isinstance(x, scase):
        return None if x.c is None else x
    if x is None:
        return None
    if isinstance(x, Hchan):
        return _newcase(x, selectRecv, None)
    raise TypeError(f"select: case {i} is {type(x).__name__!r}, not recv(ch), send(ch, v), a channel or None")


def _choose(cases: tuple[Any, ...], block: bool) -> Any:
    """Do one of the cases that are ready: what select returns; None if there is none.

    With block false, None means that there was an instant in which none was.
    """
    while True:
        nready = 0
        seen = 0
        chosen = -1
        mode = 0
        c: Any = None
        ch: Any = None
        i = 0
        for x in cases:
            if isinstance(x, Hchan):
                c = x
                mode = selectRecv
            else:
                cas = _case(x, i)
                if cas is None:
                    i += 1
                    continue
                c = cas.c
                mode = cas.mode
            seen += c.version
            if _ready(c, mode):
                nready += 1
                if nready == 1 or cheaprandn(nready) == 0:
                    chosen = i
                    ch = c
            i += 1
        if nready == 0:
            if block or seen == _versions(cases):
                return None
            continue
        x = cases[chosen]
        if isinstance(x, scase) and x.mode == selectSend:
            if selectnbsend(ch, x.elem):
                return (chosen, None, False)
        else:
            v = selectnbrecv(ch)
            if v is chanClosed:
                return (chosen, None, False)
            if v is not chanBlocks:
                return (chosen, v, True)
        # Another thread was quicker.


def _versions(cases: tuple[Any, ...]) -> int:
    """The sum of the versions of all channels in the cases: it is another as soon as one of them is."""
    seen = 0
    for x in cases:
        if x is None:
            continue
        if isinstance(x, Hchan):
            c: Any = x
        else:
            cas = x
            c = cas.c
            if c is None:
                continue
        seen += c.version
    return seen


def _ready(c: Hchan[Any], mode: int) -> bool:
    """Whether c can be sent on or received from without waiting. Stale sudogs found on the way are dropped."""
    while True:
        stale = False
        if LOCKS:
            lock(c)
        if mode == selectSend:
            sg = c.recvfirst
            ready = c.closed or sg is not None or c.qcount < c.dataqsiz
        else:
            sg = c.sendfirst
            ready = c.closed or sg is not None or c.qcount > 0
        if sg is not None and sg.sel is not None and sg.sel.done:
            stale = True
            after = sg.next
            if after is not None:
                after.prev = None
            if mode == selectSend:
                c.recvfirst = after
                if after is None:
                    c.recvlast = None
            else:
                c.sendfirst = after
                if after is None:
                    c.sendlast = None
            sg.next = None
            sg.state = sudogIdle
        if LOCKS:
            unlock(c)
        if not stale:
            return ready


def _sudogs(cases: tuple[Any, ...], sel: hselect) -> list[Any]:
    """A sudog for each case that may become ready; of several for the same operation one, drawn by lot.

    (The first of them in the queue would always be served first.) They lie in the order of the channels' addresses:
    of two selects that would wait on the same channels at once, one finds the other where it comes first.
    """
    sgs: list[Any] = []
    last: Any = None
    i = 0
    for x in cases:
        cas = _case(x, i)
        if cas is not None:
            sg = acquireSudog(cas.c, cas.mode)
            sg.elem = cas.elem
            sg.sel = sel
            sg.index = i
            sgs.append(sg)
        i += 1
    if len(sgs) < 2:
        return sgs
    if len(sgs) == 2 and not LOCKS:
        sg = sgs[0]
        last = sgs[1]
        if sg.c is not last.c:
            return sgs
    sgs.sort(key=_operation)
    kept: list[Any] = []
    last = None
    same = 1
    for sg in sgs:
        if last is not None and sg.c is last.c and sg.mode == last.mode:
            same += 1
            if cheaprandn(same) == 0:
                _release(last)
                kept[-1] = last = sg
            else:
                _release(sg)
        else:
            same = 1
            kept.append(sg)
            last = sg
    return kept


def _operation(sg: Sudog) -> int:
    """Sorts by channel, and for one channel by what is to be done."""
    return id(sg.c) * 4 + sg.mode
