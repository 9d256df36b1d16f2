"""The public names: each has a docstring that says where it comes from, and docs/ knows which of Go's there are."""

from __future__ import annotations

import importlib
import inspect
import pathlib
import re
import shutil
import subprocess
import types
from collections.abc import Iterator

import pytest

from tests.helpers import ROOT

# Go's packages and ours. Of golang.org/x/sync, which a toolchain does not bring, the names are these.
PACKAGES = {
    "sync": "gonet.sync",
    "sync/atomic": "gonet.sync.atomic",
    "time": "gonet.time",
    "context": "gonet.context",
    "testing/synctest": "gonet.testing.synctest",
    "net": "gonet.net",
}
XSYNC = {
    "gonet.sync.errgroup": "Group Group.Go Group.SetLimit Group.TryGo Group.Wait WithContext",
    "gonet.sync.semaphore": "NewWeighted Weighted Weighted.Acquire Weighted.Release Weighted.TryAcquire",
    "gonet.sync.singleflight": "Group Group.Do Group.DoChan Group.Forget Result",
}
MODULES = ["gonet", "runtime", *PACKAGES.values(), *XSYNC]


# ---- Go's names


def goapi() -> pathlib.Path | None:
    """The lists of Go's exported names that come with its sources."""
    if shutil.which("go") is None:
        return None
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, timeout=60).stdout.strip()
    return pathlib.Path(root, "api") if pathlib.Path(root, "api", "go1.txt").exists() else None


LINE = re.compile(r"pkg ([\w/]+)(?: \([\w-]+\))?, (func|method|type|var|const) (.*?)(?: *//.*)?$")
FIELD = re.compile(r"(\w+)(?:\[.*?\])? (?:struct|interface)(?:, (\w+)| { (.*) })")


def gonames(api: pathlib.Path, known: int) -> Iterator[tuple[str, str]]:
    """(package, name) of what Go 1.known exports from PACKAGES: "Listen", "Conn.Read", "Dialer.Timeout"."""
    for version in range(known + 1):
        path = api / (f"go1.{version}.txt" if version else "go1.txt")
        for line in path.read_text().splitlines() if path.exists() else ():
            match = LINE.match(line)
            if match and match[1] in PACKAGES:
                package, kind, rest = match.groups()
                if kind == "method":
                    owner, name = re.match(r"\(\*?(\w+).*?\) (\w+)", rest).groups()
                    yield package, f"{owner}.{name}"
                else:
                    name = re.match(r"\w+", rest)[0]
                    yield package, name
                    if kind == "type" and (field := FIELD.match(rest)):
                        several = re.findall(r"(?:^|, )(\w+)", re.sub(r"\(.*?\)", "", field[3] or ""))
                        for inner in [field[2]] if field[2] else several:
                            yield package, f"{name}.{inner}"


def has(module: types.ModuleType, name: str) -> bool:
    """Whether the module exports a name or, of "Class.name", an object of the class has the attribute."""
    owner, _, last = name.rpartition(".")
    if not owner:
        return last in module.__all__
    return owner in module.__all__ and last in attributes(getattr(module, owner))


def attributes(cls: type) -> set[str]:
    return {*dir(cls), *getattr(cls, "_fields", ())}  # the errors' fields are given by __init__


def absent() -> dict[str, set[str]]:
    """By package, what docs/from-go.md says is not there; "*.Error" is that of any class."""
    found: dict[str, set[str]] = {}
    for section in (ROOT / "docs/from-go.md").read_text().split("\n### ")[1:]:
        heading = re.match(r"`([\w/.]+)` as (`[\w.]+`(?:, )?)+\n", section)
        if heading and heading[1] != "runtime":
            text = section[heading.end() :]
            end = "\nOther forms:" if "\nOther forms:" in text else "\n\n- "
            found[heading[1]] = set(re.findall(r"`([\w.*]+)`", text.partition(end)[0]))
    return found


def test_the_page_has_a_section_for_every_package() -> None:
    assert set(absent()) == {*PACKAGES, "golang.org/x/sync"}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_the_page_says_is_absent_is(package: str) -> None:
    module = importlib.import_module(PACKAGES[package])
    wrong = [name for name in absent()[package] if not name.startswith("*.") and has(module, name)]
    wrong += [
        f"{owner}{name[1:]}"
        for name in absent()[package]
        for owner in module.__all__
        if name.startswith("*.") and inspect.isclass(getattr(module, owner)) and has(module, f"{owner}{name[1:]}")
    ]
    assert not wrong, f"docs/from-go.md says that these are not in {module.__name__}: {', '.join(sorted(wrong))}"


def test_the_page_tells_every_name_of_go_that_is_absent() -> None:
    api = goapi()
    if api is None:
        pytest.skip("no Go toolchain, or one without its api directory")
    told = absent()
    untold, count = [], 0
    for package, name in gonames(api, 26):
        module = importlib.import_module(PACKAGES[package])
        owner, _, last = name.rpartition(".")
        count += 1
        if not {name, owner, f"*.{last}" if owner else ""} & told[package] and not has(module, name):
            untold.append(f"{package} {name}")
    assert count > 800  # else the lists were not understood
    assert not untold, f"docs/from-go.md does not say that these are absent: {', '.join(untold)}"


@pytest.mark.parametrize("module", XSYNC)
def test_all_of_x_sync_is_there(module: str) -> None:
    assert [name for name in XSYNC[module].split() if not has(importlib.import_module(module), name)] == []


# ---- docstrings


def public(module: types.ModuleType) -> Iterator[tuple[str, object]]:
    """The functions and classes that a module exports, and the methods of the classes that Go would export."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            yield name, thing
            for member in dir(thing):
                if re.match(r"[A-Z]", member) or member in ("send", "recv", "recv2", "close", "makefile", "state"):
                    value = inspect.getattr_static(thing, member)
                    if isinstance(value, property) or callable(value) and not inspect.isclass(value):
                        yield f"{name}.{member}", value
        elif callable(thing):
            yield name, thing


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_docstring_with_its_source(module: str) -> None:
    names = list(public(importlib.import_module(module)))
    assert names
    without = [name for name, thing in names if "Source: " not in (thing.__doc__ or "")]
    assert not without, f"{module} has no docstring with its source for {', '.join(without)}"


SECONDS = "Sleep NewTimer NewTicker AfterFunc After Tick Timer.Reset Ticker.Reset"


@pytest.mark.parametrize("name", SECONDS.split())
def test_docstrings_of_durations_say_their_unit(name: str) -> None:
    documented = dict(public(importlib.import_module("gonet.time")))
    assert re.search(r"\bseconds\b|new Timer|new Ticker", documented[name].__doc__)


def test_the_files_and_names_of_go_that_the_sources_name_exist() -> None:
    api = goapi()
    if api is None:
        pytest.skip("no Go toolchain, or one without its api directory")
    wrong, count = [], 0
    for path in [path for top in ("runtime", "gonet") for path in (ROOT / top).rglob("*.py")]:
        text = " ".join(path.read_text().split())
        for match in re.finditer(r"(Source: )?Go src/([\w/.-]+\.go)(?: (\(\*?\w+\)\.\w+|[\w.]+\w))?", text):
            source, file, name = match.groups()
            count += 1
            go = api.parent / "src" / file
            if not go.exists():
                wrong.append(f"{path.name}: {file}")
            elif source and name and not re.search(rf"\b{name.rpartition('.')[2]}\b", go.read_text()):
                wrong.append(f"{path.name}: {file} {name}")
    assert count > 200
    assert not wrong, ", ".join(wrong)
