"""One source, two speeds: each .pxd is in step with its .py, and it is known which form is imported.

The compiler notices a function missing from the .py. A field that the .pxd declares and the .py no longer has never
shows, one that is missing shows only when it is assigned, and a parameter with another name only by keyword.
"""

from __future__ import annotations

import ast
import collections
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAIRS = sorted(
    pxd.relative_to(ROOT)
    for package in ("runtime", "gonet")
    for pxd in (ROOT / package).rglob("*.pxd")
    if pxd.with_suffix(".py").exists() and pxd.stem != "__init__"
)
HAS_C_FORM = {pxd for pxd in PAIRS if (ROOT / pxd).with_suffix(".pyx").exists()}

Signature = list[tuple[str, bool]]  # (name, whether it has a default) of each parameter


@dataclass
class Class:
    fields: set[str] = field(default_factory=set)
    methods: dict[str, Signature] = field(default_factory=dict)
    slotted: bool = True


@dataclass
class Module:
    classes: dict[str, Class] = field(default_factory=dict)
    functions: dict[str, Signature] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)  # names that an import or an assignment gives a value


# ---- reading a .pxd

_CLASS = re.compile(r"cdef (?:public )?class (\w+)\s*(?:\(.*\))?\s*(?:\[.*\])?\s*:")
_FUNCTION = re.compile(r"(cdef|cpdef|def) (?:inline )?(?:[\w.*\[\], ]*?[ *])?(\w+)\s*\((.*)\)[^()]*$")
_FIELD = re.compile(r"cdef (?:public |readonly )?(?P<type>.*?[\s*])(?P<names>\w+(?:\[\w*\])*(?:\s*,\s*\**\w+)*)$")
_NO_CODE = re.compile(r"(from [\w.]+ )?cimport |import |from [\w.]+ import |ctypedef |@|pass$|\.\.\.$")
_SKIPPED_BLOCK = re.compile(r"cdef (extern|enum|struct|union|packed|api|cppclass)\b|ctypedef (enum|struct|union)\b")


def logical_lines(text: str) -> list[tuple[int, str]]:
    """(indentation, line without its comment) with parentheses and backslashes joined to one line."""
    lines: list[tuple[int, str]] = []
    text = re.sub(r"(?s)^(\s*)(\"\"\".*?\"\"\"|'''.*?''')", r"\1", text)
    pending = ""
    for line in text.splitlines():
        line = re.sub(r"\s*#.*", "", line)
        if pending:
            line = pending + " " + line.strip()
            pending = ""
        if line.endswith("\\") or sum(map(line.count, "([{")) > sum(map(line.count, ")]}")):
            pending = line.rstrip("\\")
        elif line.strip():
            lines.append((len(line) - len(line.lstrip()), line.strip()))
    assert not pending, f"a parenthesis is not closed: {pending}"
    return lines


def split_parameters(text: str) -> list[str]:
    """Splits at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


def signature_in_pxd(parameters: str) -> Signature:
    signature = []
    for parameter in split_parameters(parameters):
        declared, equals, _ = parameter.partition("=")
        declared = re.sub(r"\s+(not|or) None$", "", declared.strip())
        name = re.search(r"(\w+)(\[[^]]*\])*$", declared)
        assert name, f"no name in {parameter!r}"
        signature.append((name.group(1), bool(equals)))
    return signature


def read_pxd(text: str) -> Module:
    """What a .pxd declares. A line that is not understood is an error: skipped, it would be checked by nobody."""
    module = Module()
    owner: Class | None = None
    skipping: int | None = None
    prefix = ""  # of the lines in a `cdef:` block
    prefix_indent = 0
    for indent, line in logical_lines(text):
        if skipping is not None and indent > skipping:
            continue
        skipping = None
        if prefix and indent <= prefix_indent:
            prefix = ""
        if indent == 0:
            owner = None
        if block := re.fullmatch(r"(cdef|cdef public|cdef readonly)\s*:", line):
            prefix, prefix_indent = block.group(1) + " ", indent
            continue
        line = prefix + line
        if _SKIPPED_BLOCK.match(line):
            skipping = indent
        elif match := _CLASS.match(line):
            owner = module.classes.setdefault(match.group(1), Class())
        elif _NO_CODE.match(line) or re.match(r"cdef class \w+$", line):
            pass
        elif (match := _FUNCTION.match(line)) and "(*" not in line.partition(match.group(2))[0]:
            where = owner.methods if owner else module.functions
            where[match.group(2)] = signature_in_pxd(match.group(3))
            skipping = indent  # the body of a cdef inline
        elif match := _FIELD.match(line):
            if owner:
                owner.fields.update(re.findall(r"(\w+)(?:\[\w*\])*\s*(?:,|$)", match.group("names")))
        else:
            raise AssertionError(f"not understood: {line!r}")
    return module


# ---- reading a .py


def signature_in_py(function: ast.FunctionDef) -> Signature:
    arguments = function.args
    names = [a.arg for a in arguments.posonlyargs + arguments.args]
    first_default = len(names) - len(arguments.defaults)
    return [(name, i >= first_default) for i, name in enumerate(names)]


def slots_of(body: list[ast.stmt]) -> set[str] | None:
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == "__slots__" for t in targets):
            value = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
            return {value} if isinstance(value, str) else set(value)
    return None


def read_py(text: str) -> Module:
    module = Module()
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.FunctionDef):
            module.functions[statement.name] = signature_in_py(statement)
        elif isinstance(statement, ast.ClassDef):
            slots = slots_of(statement.body)
            methods = {s.name: signature_in_py(s) for s in statement.body if isinstance(s, ast.FunctionDef)}
            module.classes[statement.name] = Class(slots or set(), methods, slots is not None)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            module.bound.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Assign):
            module.bound.update(t.id for t in statement.targets if isinstance(t, ast.Name))
    return module


def differences(pxd: Module, py: Module, has_c_form: bool = False) -> list[str]:
    """What the .pxd declares otherwise than the .py says, a line each.

    A module that also has a C form may keep other fields in the .py and may borrow a function for it, as in
    `nanotime = time.monotonic_ns`; it promises the same calls. Its C classes may have helpers of their own, and its
    gqueue is a deque in the .py.
    """
    found = []

    def compare(where: str, declared: dict[str, Signature], defined: dict[str, Signature]) -> None:
        for name, signature in declared.items():
            if name not in defined:
                if has_c_form and name in py.bound and not where:
                    continue
                if has_c_form and where and (name.startswith("_") or hasattr(collections.deque, name)):
                    continue
                found.append(f"{where}{name} is in the .pxd alone")
            elif signature != defined[name]:
                found.append(f"{where}{name}: .pxd has {signature}, .py has {defined[name]}")

    compare("", pxd.functions, py.functions)
    for name, declared in pxd.classes.items():
        if (defined := py.classes.get(name)) is None:
            found.append(f"class {name} is in the .pxd alone")
            continue
        compare(f"{name}.", declared.methods, defined.methods)
        if not has_c_form and not defined.slotted:
            found.append(f"class {name} has no __slots__ in the .py")
        elif not has_c_form and declared.fields != defined.fields:
            found.append(
                f"class {name}: only in the .pxd {sorted(declared.fields - defined.fields)}, "
                f"only in __slots__ {sorted(defined.fields - declared.fields)}"
            )
    return found


# ---- the pairs


@pytest.mark.parametrize("path", PAIRS, ids=str)
def test_pxd_is_in_step_with_py(path: pathlib.Path) -> None:
    pxd = read_pxd((ROOT / path).read_text())
    py = read_py((ROOT / path).with_suffix(".py").read_text())
    problems = differences(pxd, py, has_c_form=path in HAS_C_FORM)
    assert not problems, "\n".join([f"{path}:", *problems])


def test_differences_are_noticed() -> None:
    """The reader itself: one .pxd with every shape that ours use, right and wrong."""
    pxd = read_pxd(
        textwrap.dedent(
            """
            # a comment
            from runtime.gmp cimport G, M
            cimport cython

            cdef extern from "x.h":
                int c_function(int a) nogil

            cdef class A:
                cdef public long long n, m
                cdef readonly G[:] view
                cdef dict __dict__    # why
                cdef void *buf
                cdef int pair[2]
                cdef:
                    object inner
                cpdef object f(self, G gp, long long when=*)
                cdef bint hidden(self, list[int] pointer) noexcept
                @cython.locals(i=int)
                cpdef g(self,
                        object b)

            cdef class B(A):
                pass

            cdef object constant
            cpdef long long top(int fd, const char *what, G gp=*) except? -1
            """
        )
    )
    assert set(pxd.classes) == {"A", "B"}
    assert pxd.classes["A"].fields == {"n", "m", "view", "__dict__", "buf", "pair", "inner"}
    assert set(pxd.classes["A"].methods) == {"f", "hidden", "g"}
    assert pxd.functions == {"top": [("fd", False), ("what", False), ("gp", True)]}
    py = read_py(
        textwrap.dedent(
            """
            class A:
                __slots__ = ("n", "m", "view", "__dict__", "buf", "inner", "late")
                def f(self, gp, when): ...
                def hidden(self, pointer): ...
                def g(self, b): ...
            class B(A): ...
            def top(fd, path, gp=None): ...
            """
        )
    )
    found = differences(pxd, py)
    assert [line.partition(":")[0] for line in found] == [
        "top",
        "A.f",
        "class A",
        "class B has no __slots__ in the .py",
    ]
    assert "['pair']" in found[2] and "['late']" in found[2]


# ---- which form is imported


def python(code: str, *args: object, cwd: pathlib.Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter, in the tree or elsewhere."""
    env = {k: v for k, v in os.environ.items() if k not in ("GONET_PURE", "PYTHONPATH")}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)],
        cwd=cwd,
        env={**env, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_program_beside_a_clone_called_gonet_imports_the_package(tmp_path):
    """Not the directory of the clone, which would pass for a namespace package."""
    program = "import gonet, runtime; print(gonet.__file__, runtime.__file__)"
    if python(program, cwd=tmp_path).returncode != 0:
        pytest.skip("gonet is not installed here")
    (tmp_path / "gonet").mkdir()
    (tmp_path / "runtime").mkdir()
    r = python(program, cwd=tmp_path)
    assert r.stdout.split() == [str(ROOT / package / "__init__.py") for package in ("gonet", "runtime")], r.stderr


IMPORT_EVERYTHING = """
    import importlib, pkgutil, sys
    from importlib.machinery import ExtensionFileLoader
    import runtime, gonet
    for package in (runtime, gonet):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=lambda name: None):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ImportError as err:  # of another system, say
                    print("skipped", module.name, err, file=sys.stderr)
    for name, module in sorted(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name.partition(".")[0] in ("runtime", "gonet") and isinstance(spec.loader, ExtensionFileLoader):
            print(name)
"""


def test_pure_imports_no_extension_module() -> None:
    done = python(IMPORT_EVERYTHING + "\n    assert runtime.compiled is False\n", GONET_PURE="1")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_compiled_imports_every_extension_module() -> None:
    """A module that is left out, or hidden by something, would quietly run slower."""
    done = python("import runtime; print(runtime.compiled)")
    assert done.returncode == 0, done.stderr
    if done.stdout != "True\n":
        pytest.skip("not compiled")
    pytest.importorskip("setuptools")
    spec = importlib.util.spec_from_file_location("gonet_setup", ROOT / "setup.py")
    assert spec and spec.loader
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    done = python(IMPORT_EVERYTHING)
    assert (done.returncode, done.stdout.split()) == (0, sorted(setup.modules())), done.stderr


def test_pure_finder_is_installed_once() -> None:
    done = python(
        """
        import sys
        from runtime import pure
        pure.install()
        pure.install()
        print(sum(finder is pure._PureFinder for finder in sys.meta_path))
        """,
        GONET_PURE="1",
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


@pytest.mark.parametrize("foreign", ["runtime.py", "runtime/__init__.py"])
def test_a_foreign_runtime_is_named(tmp_path: pathlib.Path, foreign: str) -> None:
    """`runtime` is a common name: whoever has another one first on the path is told which file it is."""
    path = tmp_path / foreign
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    done = python(
        """
        import sys
        sys.path[:0] = [sys.argv[1]]
        try:
            import gonet
        except ImportError as err:
            print(err)
        else:
            print("imported")
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout


# ---- where nothing can be compiled


def built(tree: pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `make build` runs, in that tree, on a machine without a C compiler."""
    env = {k: v for k, v in os.environ.items() if k not in ("CC", "GONET_COMPILE", "GONET_PURE", "PYTHONPATH")}
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=tree,
        env={**env, "PATH": str(tree / "empty"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_a_c_compiler_one_line_says_so_and_it_works(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("setuptools")
    pytest.importorskip("Cython")
    for top in ("runtime", "gonet"):
        shutil.copytree(ROOT / top, tmp_path / top, ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    stale = tmp_path / "runtime" / f"chan{EXTENSION_SUFFIXES[0]}"  # of an earlier build, with another source
    stale.write_bytes(b"")

    done = built(tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    said = done.stderr.splitlines()
    assert len(said) == 1, done.stderr
    assert said[0].startswith("gonet: not compiled, will run as pure Python, slower: there is no C compiler, "), said
    assert not stale.exists()

    program = "import runtime; from gonet import chan, go; ch = chan(); go(ch.send, runtime.compiled); print(ch.recv())"
    env = {k: v for k, v in os.environ.items() if k not in ("GONET_PURE", "PYTHONPATH")}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "False\n", "")

    done = built(tmp_path, GONET_COMPILE="1")
    assert done.returncode != 0
    assert "gonet: cannot be compiled: there is no C compiler" in done.stderr, done.stderr
