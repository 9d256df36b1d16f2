"""The examples do what they show, and what README.md and docs/ say is so.

Everything runs in child processes, in the form (compiled or pure) that is tested here.
"""

from __future__ import annotations

import ast
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import runtime
from tests.helpers import ROOT, runs

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN = [page for page in PAGES if page.name != "benchmark.md"]  # the benchmark writes that one
LIMIT = 60.0  # for one child; only waited out by what hangs
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def ids(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def example(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end."""
    command = [sys.executable, str(ROOT / "examples" / name), *args]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=LIMIT)


FENCE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)


def tour() -> Iterator[tuple[str, str, str]]:
    """Of each section of the tour: the example to which its heading leads, its program, and what that prints."""
    for section in (ROOT / "docs/tour.md").read_text().split("\n## ")[1:]:
        heading = re.match(r"\[.*\]\(\.\./examples/(tour_\w+)\.py\)\n", section)
        assert heading, f"this heading leads to no example: {section.splitlines()[0]}"
        program, output = FENCE.search(section).groups()
        yield heading[1], program, output


TOUR = list(tour())

# ---- --demo


def test_every_example_is_tested() -> None:
    tour = [f"{name}.py" for name, _, _ in TOUR]
    assert [path.name for path in EXAMPLES] == sorted(["chat.py", "echo.py", "proxy.py", *tour])


@pytest.mark.parametrize("name", ["chat.py", "proxy.py"])
def test_has_less_than_80_lines(name: str) -> None:
    assert len((ROOT / "examples" / name).read_text().splitlines()) < 80


def test_echo_demo() -> None:
    done = example("echo.py", "--demo")
    assert done.returncode == 0, done.stderr
    form = "compiled" if runtime.compiled else "pure Python"
    assert done.stdout.startswith(f"{runtime.Version()} ({form}), GOMAXPROCS="), done.stdout
    assert re.search(r"^200 clients, each a goroutine, send 64 bytes", done.stdout, re.M), done.stdout
    progress = re.findall(r"^ +\d+\.\d s +([\d,]+) messages$", done.stdout, re.M)
    assert len(progress) >= 2 and progress == sorted(progress, key=number), done.stdout
    rate = re.search(r"^rate +([\d,]+) messages per second$", done.stdout, re.M)
    assert rate and number(rate[1]) > 100, done.stdout
    latency = re.search(r"^latency +(.*)$", done.stdout, re.M)
    assert latency and re.findall(r"(\S+) [\d.]+ ms", latency[1]) == ["p50", "p90", "p99", "p99.9", "max"], done.stdout
    figures = [float(ms) for ms in re.findall(r"([\d.]+) ms", latency[1])]
    assert figures[0] > 0 and figures == sorted(figures), done.stdout
    traces = done.stderr.splitlines()
    assert len(traces) >= 2, done.stderr
    for line in traces:
        assert re.fullmatch(r"SCHED \d+ms: gomaxprocs=\d+ .* \[ [\d ]+ \] schedticks=\[ [\d ]+ \]", line), done.stderr
    assert "\r" not in done.stdout


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_echo_demo_shows_its_progress_in_place_on_a_terminal() -> None:
    master, slave = pty.openpty()
    command = [sys.executable, str(ROOT / "examples/echo.py"), "--demo", "--seconds", "2", "--clients", "5"]
    child = subprocess.Popen(command, env=ENV, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    try:
        while data := os.read(master, 65536):
            said += data
    except OSError:  # EIO: the other end is closed
        pass
    finally:
        os.close(master)
    assert child.wait(LIMIT) == 0, said
    assert len(re.findall(rb"\r +\d\.\d s +[\d,]+ messages(?=\r)", said)) >= 2, said


def test_echo_demo_fails_when_the_server_does() -> None:
    """A status that is always 0 would say nothing."""
    said = runs(
        """
        sys.path.insert(0, "examples")
        import echo
        runtime.SetPanicHook(lambda g, exc: None)
        echo.handle = lambda conn: conn.Close()
        print(echo.demo(3, 0.1))
        """,
    )
    assert said.endswith("3 clients have failed\n"), said


def test_chat_demo() -> None:
    done = example("chat.py", "--demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "bob reads: * ann has joined",
        "bob reads: * eve has joined",
        "bob reads: * eve has left",
        "bob reads: ann: line 1000 .....",
    ]


def test_proxy_demo() -> None:
    done = example("proxy.py", "--demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "20 of 20 requests of 525,000 bytes were answered in full\n"
    assert re.fullmatch(r"proxy: dial tcp 127.0.0.1:\d+: connect: connection refused\n", done.stderr), done.stderr


@pytest.mark.parametrize(("name", "program", "output"), TOUR, ids=[name for name, _, _ in TOUR])
def test_the_tour_shows_the_examples(name: str, program: str, output: str) -> None:
    assert (ROOT / "examples" / f"{name}.py").read_text() == program
    done = example(f"{name}.py", "--demo")
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")


# ---- the servers


@contextmanager
def echo_server() -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """examples/echo.py at work, and its address."""
    command = [sys.executable, str(ROOT / "examples/echo.py"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stdout.readline()
            assert said.startswith("echo server on "), said or server.stderr.read()
            host, _, port = said.split()[-1].rpartition(":")
            yield server, (host, int(port))
        finally:
            server.kill()


def test_echo_serves_until_it_is_interrupted() -> None:
    with echo_server() as (server, addr):
        data = os.urandom(300_000)
        with socket.create_connection(addr, LIMIT) as idle, socket.create_connection(addr, LIMIT) as s:
            got = bytearray()
            for i in range(0, len(data), 10_000):
                s.sendall(data[i : i + 10_000])
                while len(got) < i + 10_000:
                    got += s.recv(65536)
            assert got == data
            s.shutdown(socket.SHUT_WR)
            assert s.recv(1) == b""
            idle.sendall(b"still there")
            assert idle.recv(100) == b"still there"
            server.send_signal(signal.SIGINT)
            assert server.wait(LIMIT) == 0
        assert server.stderr.read() == ""


def test_echo_takes_a_reset_quietly() -> None:
    with echo_server() as (server, addr):
        for _ in range(3):
            s = socket.create_connection(addr, LIMIT)
            s.sendall(b"x" * 1000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        with socket.create_connection(addr, LIMIT) as s:
            s.sendall(b"hello")
            assert s.recv(100) == b"hello"
        server.send_signal(signal.SIGINT)
        assert server.wait(LIMIT) == 0
        assert server.stderr.read() == ""


CHAT = """
sys.path.insert(0, "examples")
import chat
from gonet import net
ln = net.Listen("tcp", "127.0.0.1:0")
go(chat.serve, ln)

def join(name):
    conn = net.Dial("tcp", str(ln.Addr()))
    conn.SetDeadline(gtime.Now() + 60)
    conn.Write(name.encode() + b"\\n")
    return conn, conn.makefile("r")

def joined(name):
    conn, lines = join(name)
    until(lambda: name in chat.clients)
    return conn, lines
"""


def test_chat_sends_every_line_of_one_to_all_the_others() -> None:
    said = runs(
        CHAT
        + textwrap.dedent("""
        people = {name: joined(name) for name in ("ann", "bob", "eve")}
        for name, (conn, lines) in people.items():
            conn.Write(f"I am {name}\\r\\n".encode())
            for other, (_, others) in people.items():
                while other != name and (line := others.readline()) != f"{name}: I am {name}\\n":
                    assert line.startswith("* "), line
        people["eve"][0].Write(b"a last line without its end")
        people["eve"][0].Close()
        for name in ("ann", "bob"):
            print([people[name][1].readline() for _ in range(2)])
        people["ann"][0].Close()
        people["bob"][0].Close()
        ln.Close()
        until(lambda: runtime.NumGoroutine() == 1)
        """),
    )
    assert said.splitlines() == [str(["eve: a last line without its end\n", "* eve has left\n"])] * 2


def test_chat_gives_a_name_once() -> None:
    said = runs(
        CHAT
        + textwrap.dedent("""
        ann, lines = joined("ann")
        print(repr(join("ann")[1].read()))
        bob, _ = joined("bob")
        print(repr(lines.readline()))
        ann.Close()
        bob.Close()
        ln.Close()
        until(lambda: runtime.NumGoroutine() == 1)
        """),
    )
    assert said.splitlines() == ["''", repr("* bob has joined\n")]


def test_chat_keeps_those_who_read_however_much_is_said_at_once() -> None:
    said = runs(
        CHAT
        + textwrap.dedent("""
        bob, lines = joined("bob")
        ann, _ = joined("ann")
        ann.Write(b"".join(b"%d\\n" % i for i in range(20000)))
        ann.CloseWrite()
        heard = list(iter(lines.readline, "* ann has left\\n"))
        print(len(heard), heard[0], heard[-1])
        """),
        env={"GOMAXPROCS": "1"},
    )
    assert said == "20001 * ann has joined\n ann: 19999\n\n"


PROXY = """
sys.path.insert(0, "examples")
import proxy
from gonet import net
target = net.Listen("tcp", "127.0.0.1:0")
ln = net.Listen("tcp", "127.0.0.1:0")
go(proxy.serve, ln, str(target.Addr()))

def joined():
    ends = net.Dial("tcp", str(ln.Addr())), target.Accept()
    for end in ends:
        end.SetDeadline(gtime.Now() + 60)
    return ends

def closed(*ends):
    for end in ends:
        end.Close()
    ln.Close()
    until(lambda: runtime.NumGoroutine() == 1)
"""


@pytest.mark.parametrize("first", [0, 1], ids=["client", "target"])
def test_proxy_passes_on_the_end_of_either_stream_and_no_more(first: int) -> None:
    said = runs(
        PROXY
        + textwrap.dedent(f"""
        ends = joined()
        a, b = ends[{first}], ends[{1 - first}]
        a.Write(b"a request")
        a.CloseWrite()
        print(b.makefile("rb").read())
        b.Write(b"an answer " * 20000)
        b.CloseWrite()
        print(a.makefile("rb").read() == b"an answer " * 20000)
        closed(a, b)
        """),
    )
    assert said.splitlines() == [str(b"a request"), "True"]


@pytest.mark.parametrize("first", [0, 1], ids=["client", "target"])
def test_proxy_passes_on_a_reset(first: int) -> None:
    said = runs(
        PROXY
        + textwrap.dedent(f"""
        ends = joined()
        a, b = ends[{first}], ends[{1 - first}]
        a.Write(b"hello")
        b.Read(bytearray(100))
        a.SetLinger(0)
        a.Close()
        try:
            print(b.Read(bytearray(100)))
        except ConnectionResetError as err:
            print("reset")
        closed(b)
        """),
    )
    assert said == "reset\n"


def test_proxy_resets_a_client_that_it_cannot_serve() -> None:
    said = runs(
        PROXY
        + textwrap.dedent("""
        target.Close()
        conn = net.Dial("tcp", str(ln.Addr()))
        conn.SetDeadline(gtime.Now() + 60)
        try:
            print(conn.Read(bytearray(100)))
        except ConnectionResetError as err:
            print("reset")
        closed(conn)
        """),
        quiet=False,
    )
    assert said == "reset\n"


# ---- what README.md and docs/ say

BLOCKS = [
    pytest.param(block[1], block[2], id=f"{ids(page)}-{count}")
    for page in WRITTEN
    for count, block in enumerate(FENCE.finditer(page.read_text()), 1)
]

# The echo server of the README serves for ever, on a port of its own: here on a free one, until it has answered.
ECHO = """
from gonet import net as _net

def _drive(addr):
    with _net.Dial("tcp", str(addr)) as conn:
        for size in 1, 4096, 4097:
            conn.Write(b"x" * size)
            assert len(conn.makefile("rb").read(size)) == size
    print("echoed")
    listener.Close()

def _listen(network, address, listen=_net.Listen):
    global listener
    assert (network, address) == ("tcp", "127.0.0.1:8080")
    listener = listen("tcp", "127.0.0.1:0")
    go(_drive, listener.Addr())
    return listener

_net.Listen = _listen
"""


@pytest.mark.parametrize(("program", "output"), BLOCKS)
def test_programs_on_the_pages_run(program: str, output: str | None) -> None:
    """A block marked python is a program; one marked text after it is what it prints."""
    if "127.0.0.1:8080" in program:
        assert output is None
        assert runs(program, prelude="from gonet import go\n" + ECHO) == "echoed\n"
    else:
        assert runs(program, prelude="") == (output or "")


def test_there_are_programs_on_the_pages() -> None:
    assert len(BLOCKS) >= 4


def defines(path: pathlib.Path, name: str) -> bool:
    """Whether a .py binds name at its top, or Class.name in a class; for a .pyx, whether it defines the last part."""
    if path.suffix == ".pyx":
        last = name.rpartition(".")[2]
        return re.search(rf"^ *(cdef class|c?p?def.*) {last}\b", path.read_text(), re.M) is not None
    owner, _, last = name.rpartition(".")
    body = ast.parse(path.read_text()).body
    if owner:
        body = [inner for node in body if isinstance(node, ast.ClassDef) and node.name == owner for inner in node.body]
    return any(last in bound(node) for node in body)


def bound(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


PLACE = re.compile(r"`((?:runtime|gonet|tests|examples)/[\w./]+\.pyx?)`(?: `([\w.]+)`)?")


@pytest.mark.parametrize("page", WRITTEN, ids=ids)
def test_places_that_a_page_names_exist(page: pathlib.Path) -> None:
    """A path, and where a name follows it (`runtime/proc.py` `gopark0`), that name in it."""
    for path, name in PLACE.findall(" ".join(page.read_text().split())):
        assert (ROOT / path).exists(), f"{page.name} names {path}"
        if name:
            assert defines(ROOT / path, name), f"{page.name} names {name} in {path}"


def test_every_file_has_its_line_in_the_architecture() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    sources = [p for top in ("runtime", "gonet") for kind in ("*.py", "*.pyx") for p in (ROOT / top).rglob(kind)]
    missing = [ids(p) for p in sources if f"`{ids(p)}`" not in text]
    assert not missing, f"docs/architecture.md has no line for {', '.join(sorted(missing))}"


@pytest.mark.parametrize("page", WRITTEN, ids=ids)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        if "benchmark." not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_readme_leaves_room_for_the_benchmark() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.search(r"^<!-- benchmark:begin -->\n.+\n<!-- benchmark:end -->$", text, re.M | re.S)


def names_in(tree: ast.AST) -> Iterator[str]:
    """What a module defines at any depth: functions, classes, variables, attributes, __slots__."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


@pytest.mark.parametrize("page", ["life-of-a-read.md", "architecture.md"])
def test_names_on_a_page_are_defined_somewhere(page: str) -> None:
    """Every name or call in backticks, of a function, a class, a field or a constant."""
    sources = [path for top in ("runtime", "gonet") for path in (ROOT / top).rglob("*.py")]
    ours = {name for path in sources for name in names_in(ast.parse(path.read_text()))}
    ours |= {"runtime", "gonet", *(path.stem for path in sources), *(path.parent.name for path in sources)}
    text = " ".join((ROOT / "docs" / page).read_text().split())
    named = re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\([^`]*\))?`", text)
    assert len(named) > 20
    unknown = {name for name in named if name.rpartition(".")[2] not in {*ours, "py", "pyx", "pxd"}}
    assert not unknown, f"{page} names {', '.join(sorted(unknown))}"
