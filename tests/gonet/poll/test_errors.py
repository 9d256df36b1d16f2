"""What can go wrong with a descriptor: words, numbers and kinds."""

from __future__ import annotations

import errno
import pickle

import pytest

from gonet.poll import (
    ErrDeadlineExceeded,
    ErrFileClosing,
    ErrNetClosing,
    ErrNoDeadline,
    ErrNotPollable,
)
from gonet.poll.errors import syscallerror

ALL = [
    (ErrNetClosing, "use of closed network connection", errno.EBADF, False),
    (ErrFileClosing, "use of closed file", errno.EBADF, False),
    (ErrDeadlineExceeded, "i/o timeout", errno.ETIMEDOUT, True),
    (ErrNoDeadline, "file type does not support deadline", errno.ENOTSUP, False),
    (ErrNotPollable, "not pollable", errno.EIO, False),
]


@pytest.mark.parametrize("cls, text, code, timeout", ALL, ids=[e[0].__name__ for e in ALL])
def test_words_and_numbers(cls, text, code, timeout):
    err = cls()
    assert isinstance(err, OSError)
    assert str(err) == text
    assert err.errno == code
    assert err.Timeout() is timeout
    assert err.Temporary() is timeout


def test_a_deadline_is_a_timeouterror():
    assert issubclass(ErrDeadlineExceeded, TimeoutError)
    with pytest.raises(TimeoutError):
        raise ErrDeadlineExceeded


@pytest.mark.parametrize("cls", [e[0] for e in ALL])
def test_errors_can_be_pickled(cls):
    err = pickle.loads(pickle.dumps(cls()))
    assert type(err) is cls and str(err) == str(cls()) and err.errno == cls().errno


@pytest.mark.parametrize(
    "code, cls",
    [
        (errno.ECONNRESET, ConnectionResetError),
        (errno.ECONNREFUSED, ConnectionRefusedError),
        (errno.EPIPE, BrokenPipeError),
        (errno.ETIMEDOUT, TimeoutError),
        (errno.EAGAIN, BlockingIOError),
        (errno.EBADF, OSError),
        (errno.EMFILE, OSError),
    ],
)
def test_a_system_calls_error_is_of_its_kind_and_names_the_call(code, cls):
    err = syscallerror("read", code)
    assert type(err) is cls
    assert err.errno == code and err.syscall == "read"
