"""gonet/net/errors.py: texts, nesting, and what catches what."""

from __future__ import annotations

import copy
import errno
import pickle
import traceback
from typing import Any

import pytest

from gonet import net
from gonet.net import errors
from gonet.net.errors import Errno, canceledError, errorString, newDNSError, timeoutError

A = net.TCPAddr("127.0.0.1", 5)
B = net.TCPAddr("127.0.0.1", 6)


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (errno.ECONNREFUSED, "connection refused"),
        (errno.EADDRINUSE, "address already in use"),
        (errno.ECONNRESET, "connection reset by peer"),
        (errno.EPIPE, "broken pipe"),
        (errno.EMFILE, "too many open files"),
        (errno.ENOTCONN, "transport endpoint is not connected"),
        (errno.EADDRNOTAVAIL, "cannot assign requested address"),
        (errno.EIO, "input/output error"),
        (errno.ENOSTR, "device not a stream"),  # not in the table: lower-cased
        (errno.EXDEV, "invalid cross-device link"),
        (errno.EL2NSYNC, "level 2 not synchronized"),
        (999, "errno 999"),
        (41, "errno 41"),
    ],
)
def test_errno_texts_are_those_of_Go(n: int, text: str) -> None:
    assert errors.errnoText(n) == str(Errno(n)) == text


def test_the_table_of_texts_agrees_with_the_C_library() -> None:
    for n, text in errors._errnoText.items():
        assert OSError(n, text).errno == n
        assert text.lower() == __import__("os").strerror(n).lower(), errno.errorcode[n]


SYSCALL = net.SyscallError("connect", Errno(errno.ECONNREFUSED))


@pytest.mark.parametrize(
    ("err", "text"),
    [
        (net.OpError("dial", "tcp", None, A, SYSCALL), "dial tcp 127.0.0.1:5: connect: connection refused"),
        (net.OpError("x", "tcp", A, B, ValueError("boom")), "x tcp 127.0.0.1:5->127.0.0.1:6: boom"),
        (net.OpError("x", "tcp", A, None, net.ErrClosed()), "x tcp 127.0.0.1:5: use of closed network connection"),
        (net.OpError("read", "tcp", A, B, net.ErrDeadlineExceeded()), "read tcp 127.0.0.1:5->127.0.0.1:6: i/o timeout"),
        (net.OpError("dial", "tcp", A, None, errorString("x")), "dial tcp 127.0.0.1:5: x"),
        (net.OpError("dial", "", None, None, net.UnknownNetworkError("")), "dial: unknown network "),
        (net.OpError("dial", "foo", None, None, net.UnknownNetworkError("foo")), "dial foo: unknown network foo"),
        (net.OpError(Op="x", Err=OSError(errno.EPERM, "Nope")), "x: operation not permitted"),
        (net.OpError(Op="x", Err=ValueError("boom")), "x: boom"),
        (net.OpError("x"), "x: <nil>"),
        (net.AddrError("no", "a"), "address a: no"),
        (net.AddrError("no", ""), "no"),
        (net.DNSError("no such host", "h"), "lookup h: no such host"),
        (net.DNSError("no such host", "h", "192.0.2.1:53"), "lookup h on 192.0.2.1:53: no such host"),
        (net.ParseError("IP address", "x"), "invalid IP address: x"),
        (net.InvalidAddrError("why"), "why"),
        (SYSCALL, "connect: connection refused"),
        (canceledError(), "operation was canceled"),
        (timeoutError(), "i/o timeout"),
    ],
)  # fmt: skip
def test_texts(err: net.Error, text: str) -> None:
    assert str(err) == text
    assert traceback.format_exception_only(err)[-1].endswith(f": {text}\n")
    assert isinstance(err, (net.Error, OSError))
    assert "\n" not in repr(err)


def op(cause: BaseException, name: str = "read") -> net.OpError:
    return net.OpError(name, "tcp", A, B, cause)


def errnoOp(n: int, name: str = "read") -> net.OpError:
    return op(net.SyscallError("read", Errno(n)), name)


@pytest.mark.parametrize(
    ("err", "classes", "timeout", "temporary"),
    [
        (errnoOp(errno.ECONNREFUSED), [ConnectionRefusedError, ConnectionError], False, False),
        (errnoOp(errno.ECONNRESET), [ConnectionResetError], False, False),
        (errnoOp(errno.ECONNRESET, "accept"), [ConnectionResetError], False, True),
        (errnoOp(errno.ECONNABORTED, "accept"), [ConnectionAbortedError], False, True),
        (errnoOp(errno.EPIPE), [BrokenPipeError], False, False),
        (errnoOp(errno.EACCES), [PermissionError], False, False),
        (errnoOp(errno.EINTR), [InterruptedError], False, True),
        (errnoOp(errno.ETIMEDOUT), [TimeoutError], True, True),
        (errnoOp(errno.EAGAIN), [BlockingIOError, TimeoutError], True, True),
        (errnoOp(errno.EMFILE), [], False, True),
        (errnoOp(errno.ENFILE), [], False, True),
        (errnoOp(errno.EADDRINUSE), [], False, False),
        (op(net.ErrClosed()), [net.ErrClosed], False, False),
        (op(net.ErrDeadlineExceeded()), [net.ErrDeadlineExceeded, TimeoutError], True, True),
        (op(timeoutError()), [net.ErrDeadlineExceeded, TimeoutError], True, True),
        (op(canceledError()), [], False, False),
        (op(net.DNSError("x", "h", IsTimeout=True)), [TimeoutError], True, True),
        (op(net.DNSError("x", "h", IsTemporary=True)), [], False, True),
        (op(net.DNSError("x", "h")), [], False, False),
        (op(op(net.ErrClosed())), [net.ErrClosed], False, False),
        (op(TimeoutError("x")), [TimeoutError], True, True),
        (op(OSError(errno.ECONNRESET, "x")), [ConnectionResetError], False, False),
        (op(ValueError("x")), [], False, False),
        (net.DNSError("x", "h", IsTimeout=True), [TimeoutError], True, True),
        (net.DNSError("x", "h", IsNotFound=True), [], False, False),
        (net.AddrError("x", "y"), [], False, False),
        (net.ParseError("x", "y"), [], False, False),
        (net.UnknownNetworkError("y"), [], False, False),
        (net.InvalidAddrError("y"), [], False, False),
        (Errno(errno.ETIMEDOUT), [TimeoutError], True, True),
    ],
    ids=lambda x: None if isinstance(x, (list, bool)) else f"{x}",
)
def test_an_error_is_the_exception_of_its_cause(
    err: net.Error, classes: list[type], timeout: bool, temporary: bool
) -> None:
    assert all(isinstance(err, c) for c in classes)
    assert (err.Timeout(), err.Temporary()) == (timeout, temporary)
    assert isinstance(err, TimeoutError) is timeout
    for c in (ConnectionError, PermissionError, BlockingIOError, InterruptedError, net.ErrClosed, ValueError):
        assert isinstance(err, c) is any(issubclass(k, c) for k in classes)


def test_errno_is_that_of_the_cause() -> None:
    err = errnoOp(errno.ECONNRESET)
    assert err.errno == err.Err.errno == errno.ECONNRESET  # type: ignore[union-attr]
    assert err.strerror == "read: connection reset by peer"
    assert isinstance(err.Err, net.SyscallError)
    assert err.Err.Syscall == "read"
    assert isinstance(err.Err, ConnectionResetError)
    assert isinstance(err.Err.Err, ConnectionResetError)
    assert op(net.DNSError("x", "h")).errno is None
    assert op(ValueError()).errno is None


def test_fields_and_arguments() -> None:
    cause = net.ErrClosed()
    err = net.OpError("read", "tcp", A, B, cause)
    assert (err.Op, err.Net, err.Source, err.Addr, err.Err) == err.args == ("read", "tcp", A, B, cause)
    same = net.OpError(Op="read", Net="tcp", Source=A, Addr=B, Err=cause)
    assert same.args == err.args
    dns = net.DNSError("e", "n", "s", True, False, True)
    assert (dns.Err, dns.Name, dns.Server, dns.IsNotFound, dns.IsTimeout, dns.IsTemporary) == (
        "e", "n", "s", True, False, True,
    )  # fmt: skip
    err.Addr = None
    assert str(err) == "read tcp 127.0.0.1:5: use of closed network connection"


@pytest.mark.parametrize(
    "err",
    [
        errnoOp(errno.ECONNREFUSED),
        op(net.ErrClosed()),
        op(net.ErrDeadlineExceeded()),
        op(timeoutError()),
        op(canceledError()),
        op(ValueError("x")),
        op(net.DNSError("x", "h", IsTimeout=True)),
        net.DNSError("x", "h", "s", IsTemporary=True),
        net.AddrError("x", "y"),
        net.ParseError("x", "y"),
        net.UnknownNetworkError("y"),
        net.InvalidAddrError("y"),
        Errno(errno.EPERM),
        SYSCALL,
    ],
    ids=str,
)
def test_errors_can_be_copied_and_pickled(err: net.Error) -> None:
    for again in (
        copy.copy(err),
        copy.deepcopy(err),
        *(pickle.loads(pickle.dumps(err, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
    ):
        assert again is not err
        assert type(again) is type(err)
        assert (str(again), again.errno, again.Timeout()) == (str(err), err.errno, err.Timeout())
        assert [str(getattr(again, f)) for f in err._fields] == [str(getattr(err, f)) for f in err._fields]


def test_the_class_is_named_as_it_is_spelled() -> None:
    for err in (errnoOp(errno.EPIPE), op(net.ErrClosed()), op(ValueError())):
        assert type(err).__name__ == type(err).__qualname__ == "OpError"
        assert type(err).__module__ == "gonet.net"
    assert type(errnoOp(errno.EPIPE)) is type(errnoOp(errno.EPIPE))
    assert type(op(ValueError())) is net.OpError


def test_a_combined_class_makes_what_its_arguments_say() -> None:
    err = type(errnoOp(errno.EPIPE))("read", "tcp", None, None, net.ErrClosed())
    assert isinstance(err, net.ErrClosed)
    assert not isinstance(err, BrokenPipeError)


def test_users_may_subclass() -> None:
    class MyError(net.OpError):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.mine = 1

    err = MyError("read", "tcp", A, B, net.ErrClosed())
    assert isinstance(err, MyError) and isinstance(err, net.ErrClosed)
    assert (err.mine, err.Op, type(err).__name__) == (1, "read", "MyError")


def test_notes_survive_a_copy() -> None:
    err = errnoOp(errno.EPIPE)
    err.__dict__["hint"] = "look here"
    assert copy.copy(err).__dict__["hint"] == "look here"


@pytest.mark.parametrize(
    ("cause", "flags"),
    [
        (errors.errNoSuchHost(), (True, False, False)),
        (timeoutError(), (False, True, True)),
        (canceledError(), (False, False, False)),
        (Errno(errno.EMFILE), (False, False, True)),
    ],
)
def test_newDNSError_takes_its_flags_from_the_cause(cause: Exception, flags: tuple[bool, bool, bool]) -> None:
    err = newDNSError(cause, "name")
    assert (err.IsNotFound, err.IsTimeout, err.IsTemporary) == flags
    assert str(err) == f"lookup name: {cause}"
    assert isinstance(err, TimeoutError) is flags[1]


def test_wrapSyscallError_names_the_call() -> None:
    plain = OSError(errno.EPIPE, "x")
    got = errors.wrapSyscallError("write", plain)
    assert str(got) == "write: broken pipe"
    assert errors.wrapSyscallError("", plain) is plain
    plain.syscall = "sendmsg"  # type: ignore[attr-defined]
    assert str(errors.wrapSyscallError("write", plain)) == "sendmsg: broken pipe"
    closed = net.ErrClosed()
    assert errors.wrapSyscallError("write", closed) is closed
    other = ValueError()
    assert errors.wrapSyscallError("write", other) is other


def test_a_text_can_be_had_of_any_error() -> None:
    assert str(net.OpError("dial", 5, None, None, ValueError("v"))) == "dial 5: v"  # type: ignore[arg-type]
