"""Connections as files (makefile), and copying to and from files (ReadFrom, WriteTo)."""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from gonet import net, time

pytestmark = pytest.mark.usefixtures("nothing_left_over")

Pair = tuple[net.TCPConn, net.TCPConn]


# ---- makefile


def test_lines_of_text(pair: Pair) -> None:
    client, server = pair
    with client.makefile("w", encoding="utf-8", newline="\n") as out:
        out.write("grün\nzwei\n")
        out.write("drei")
    client.CloseWrite()
    with server.makefile(encoding="utf-8") as f:
        assert f.mode == "r"
        assert f.readline() == "grün\n"
        assert list(f) == ["zwei\n", "drei"]


def test_bytes_both_ways(pair: Pair) -> None:
    client, server = pair
    a, b = client.makefile("rwb"), server.makefile("rwb")
    a.write(b"question\n")
    a.flush()
    assert b.readline() == b"question\n"
    b.write(b"answer\n")
    b.flush()
    assert a.readline() == b"answer\n"
    assert a.readable() and a.writable() and not a.seekable()
    a.close()
    b.close()


def test_unbuffered(pair: Pair) -> None:
    client, server = pair
    raw = client.makefile("wb", buffering=0)
    assert isinstance(raw, io.RawIOBase)
    raw.write(b"at once")
    assert server.makefile("rb", buffering=0).read(100) == b"at once"
    with pytest.raises(io.UnsupportedOperation):
        raw.read(1)
    raw.close()
    with pytest.raises(ValueError, match="closed file"):
        raw.write(b"x")
    with pytest.raises(ValueError, match="closed file"):
        raw.readable()


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("r", io.TextIOWrapper),
        ("w", io.TextIOWrapper),
        ("b", io.BufferedReader),
        ("rb", io.BufferedReader),
        ("wb", io.BufferedWriter),
        ("rwb", io.BufferedRWPair),
        ("brw", io.BufferedRWPair),
    ],
)
def test_what_kind_of_file(mode: str, kind: type, pair: Pair) -> None:
    with pair[0].makefile(mode) as f:
        assert type(f) is kind


@pytest.mark.parametrize("args", [{"mode": "a"}, {"mode": "r+"}, {"mode": "x"}, {"mode": "r", "buffering": 0}], ids=str)
def test_modes_that_cannot_be(args: dict[str, Any], pair: Pair) -> None:
    with pytest.raises(ValueError, match=r"invalid mode|unbuffered streams must be binary"):
        pair[0].makefile(**args)


def test_closing_a_file_leaves_the_connection_open(pair: Pair) -> None:
    client, server = pair
    with client.makefile("wb") as f:
        f.write(b"a")
    client.Write(b"b")
    assert server.makefile("rb").read(2) == b"ab"


def test_a_file_of_a_closed_connection(pair: Pair) -> None:
    client, _ = pair
    f = client.makefile("rb")
    client.Close()
    with pytest.raises(net.ErrClosed):
        f.read(1)


def test_a_file_obeys_deadlines(pair: Pair) -> None:
    client, server = pair
    f = client.makefile("rb")
    client.SetReadDeadline(time.Now() + 0.01)
    with pytest.raises(TimeoutError):
        f.readline()
    client.SetReadDeadline(None)
    server.Write(b"line\n")
    assert f.readline() == b"line\n"


@pytest.mark.parametrize("mode", ["r", "rb", "rwb"])
def test_what_a_read_had_got_when_a_deadline_ended_it_is_lost(mode: str, pair: Pair) -> None:
    client, server = pair
    f = client.makefile(mode)
    server.Write(b"one\nhalf a ")
    assert f.readline() in ("one\n", b"one\n")
    client.SetReadDeadline(time.Now() + 0.01)
    with pytest.raises(net.ErrDeadlineExceeded):
        f.readline()
    client.SetReadDeadline(None)
    server.Write(b"line\nlast\n")
    assert [f.readline(), f.readline()] in (["line\n", "last\n"], [b"line\n", b"last\n"])


def test_a_read_that_takes_what_there_is_loses_nothing_at_a_deadline(pair: Pair) -> None:
    client, server = pair
    raw = client.makefile("rb", buffering=0)
    server.Write(b"half a ")
    client.SetReadDeadline(time.Now() + 0.01)
    got = b""
    with pytest.raises(net.ErrDeadlineExceeded):
        while True:
            got += raw.read(100)
    client.SetReadDeadline(None)
    server.Write(b"line")
    assert got + raw.read(100) == b"half a line"


# ---- copying

DATA = bytes(range(256)) * 1000


def read_all(c: net.Conn) -> bytes:
    out = io.BytesIO()
    assert isinstance(c, net.TCPConn)
    c.WriteTo(out)
    return out.getvalue()


class Raw(io.RawIOBase):
    """A raw file that reads and writes a little at a time."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, b: Any) -> int:
        n = min(len(b), len(self.data), 1000)
        b[:n] = self.data[:n]
        del self.data[:n]
        return n

    def write(self, b: Any) -> int:
        n = min(len(b), 1000)
        self.data += b[:n]
        return n


@pytest.mark.parametrize("kind", ["BytesIO", "raw", "file", "unbuffered file", "pipe"])
def test_ReadFrom(kind: str, pair: Pair, spawn: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    client, server = pair
    (tmp_path / "data").write_bytes(b"skipped" + DATA)
    feeding = None
    if kind == "BytesIO":
        src: Any = io.BytesIO(b"skipped" + DATA)
        src.seek(7)
    elif kind == "raw":
        src = Raw(DATA)
    elif kind == "pipe":
        r, w = os.pipe()
        src = open(r, "rb")
        out = open(w, "wb", buffering=0)

        def feed() -> None:
            with out:
                for i in range(0, len(DATA), 50_000):
                    runtime.Syscall(out.write, DATA[i : i + 50_000])

        feeding = spawn(feed)
    else:
        src = open(tmp_path / "data", "rb", buffering=0 if kind == "unbuffered file" else -1)
        assert src.read(7) == b"skipped"
    reading = spawn(read_all, server)
    with src:
        assert client.ReadFrom(src) == len(DATA)
        if kind.endswith("file"):
            assert src.tell() == 7 + len(DATA)
    client.CloseWrite()
    assert reading.join() == DATA
    if feeding is not None:
        feeding.join()


def test_from_connection_to_connection(ln: net.TCPListener, pair: Pair, spawn: Callable[..., Any]) -> None:
    client, server = pair
    with net.DialTCP("tcp", None, ln.Addr()) as out, ln.Accept() as sink:  # type: ignore[arg-type]
        reading = spawn(read_all, sink)
        proxying = spawn(out.ReadFrom, server)
        client.Write(DATA)
        client.CloseWrite()
        assert proxying.join() == len(DATA)
        out.CloseWrite()
        assert reading.join() == DATA


@pytest.mark.parametrize("kind", ["raw", "file", "unbuffered file", "Conn"])
def test_WriteTo(kind: str, pair: Pair, spawn: Callable[..., Any], tmp_path: pathlib.Path, ln: net.TCPListener) -> None:
    client, server = pair

    def send() -> None:
        client.Write(DATA)
        client.CloseWrite()

    sending = spawn(send)
    if kind == "raw":
        dst: Any = Raw()
        assert server.WriteTo(dst) == len(DATA)
        assert dst.data == DATA
    elif kind == "Conn":
        with net.Dial("tcp", str(ln.Addr())) as out, ln.Accept() as sink:
            reading = spawn(read_all, sink)
            assert server.WriteTo(out) == len(DATA)
            out.CloseWrite()  # type: ignore[attr-defined]
            assert reading.join() == DATA
    else:
        with open(tmp_path / "out", "wb", buffering=0 if kind == "unbuffered file" else -1) as f:
            assert server.WriteTo(f) == len(DATA)
        assert (tmp_path / "out").read_bytes() == DATA
    sending.join()


def test_a_sink_may_keep_what_it_gets(pair: Pair) -> None:
    client, server = pair
    kept: list[Any] = []

    class Keeper:
        def write(self, data: Any) -> int:
            kept.append(data)
            return len(data)

    client.Write(b"a" * 100)
    server.SetReadDeadline(time.Now() + 0.02)
    with pytest.raises(TimeoutError):
        server.WriteTo(Keeper())
    server.SetReadDeadline(None)
    client.Write(b"b" * 100)
    client.CloseWrite()
    server.WriteTo(Keeper())
    assert b"".join(kept) == b"a" * 100 + b"b" * 100


def test_errors_of_either_side_come_out(pair: Pair) -> None:
    client, server = pair

    class Broken:
        def readinto(self, b: Any) -> int:
            raise KeyError("src")

        def write(self, b: Any) -> int:
            raise KeyError("dst")

    with pytest.raises(KeyError, match="src"):
        client.ReadFrom(Broken())
    client.Write(b"x")
    with pytest.raises(KeyError, match="dst"):
        server.WriteTo(Broken())
    client.Close()
    with pytest.raises(net.ErrClosed, match="^write tcp "):
        client.ReadFrom(io.BytesIO(b"x"))


@pytest.mark.parametrize("x", [5, None, "text", io.StringIO("text")], ids=lambda x: type(x).__name__)
def test_what_cannot_be_copied(x: Any, pair: Pair) -> None:
    with pytest.raises(TypeError):
        pair[0].ReadFrom(x)
    pair[1].Write(b"x")
    with pytest.raises(TypeError):
        pair[0].WriteTo(x)
