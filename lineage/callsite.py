"""Where in the user's code an operator or action stands."""

import ast
import io
import linecache
import os
import re
import sys
import sysconfig
import threading
import tokenize
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType
from typing import Any

_MOST_TEXT = 2_000
_MOST_PARSED_LINES = 5_000
_MOST_SITES = 20_000
_SECRET = re.compile(r"secret|passw|token|access.?key|credential|api.?key", re.IGNORECASE)
_IPYTHON_INPUT = re.compile(r"<ipython-input-(\d+)-")


@dataclass(frozen=True)
class CallSite:
    """A place in the user's own code.

    Attributes:
        file: absolute path of the source file; in a notebook `cell N`.
        line: line number, from 1.
        text: the statement's source text, stripped; empty where the source can't be read.
        function: name of the enclosing function, or `<module>`.
    """

    file: str
    line: int
    text: str = ""
    function: str = "<module>"

    @property
    def label(self) -> str:
        """Short form for tables and messages: `etl.py:42`, or `cell 3:2` in a notebook."""
        return f"{self.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{self.line}"

    @property
    def brief(self) -> str:
        """The statement in one line: how it begins, where it has more."""
        first, *more = self.text.splitlines() or [""]
        return f"{first} …" if more else first


class Caller(IntEnum):
    """Whose code a stack frame runs.

    `USER` code is what call sites name. `PLUMBING` (the standard library, and the few PySpark functions that
    hand the user's own call on) stands between the user and PySpark without changing whose call it is.
    `INNER` code is PySpark's own: what it calls for itself is no operator of the user's. `PANDAS` and `ML`
    are inner code too, told apart only to say once that their steps aren't recorded. `OURS` is bigdebug.
    A file is `MIXED` where only some of its functions are plumbing.
    """

    USER = 0
    PLUMBING = 1
    INNER = 2
    PANDAS = 3
    ML = 4
    OURS = 5
    MIXED = 6


# PySpark functions whose calls count as their caller's, and what the operator is then called
# (None: as the called method). A `*` stands for every function of the file.
_HANDED_ON: dict[str, dict[str, str | None]] = {
    "util.py": {"*": None},
    "sql/context.py": {"*": None},
    "sql/session.py": {"toDF": "rdd.toDF"},
    "sql/classic/dataframe.py": {"transform": None, "__getitem__": None},
}


class _Places:
    """The file prefixes that frames are told apart by, computed once."""

    def __init__(self) -> None:
        # Found through sys.modules: nothing here may import PySpark for a program that doesn't use it.
        self.pyspark = _package_folders("pyspark")
        self.py4j = _package_folders("py4j")
        self.ours = _package_folders("bigdebug")
        paths = sysconfig.get_paths()
        self.stdlib = tuple({paths["stdlib"] + os.sep, paths["platstdlib"] + os.sep, _folder(os.__file__)})
        self.kinds: dict[str, Caller] = {}

    def kind(self, file: str) -> Caller:
        found = self.kinds.get(file)
        if found is None:
            found = self.kinds[file] = self._classify(file)
        return found

    def _classify(self, file: str) -> Caller:
        if file.startswith(self.pyspark):
            inside = next(file[len(p) :] for p in self.pyspark if file.startswith(p)).replace(os.sep, "/")
            if inside in _HANDED_ON:
                return Caller.MIXED
            if inside.startswith("pandas/"):
                return Caller.PANDAS
            return Caller.ML if inside.startswith(("ml/", "mllib/")) else Caller.INNER
        if file.startswith(self.py4j):
            return Caller.INNER
        if file.startswith(self.ours):
            return Caller.OURS
        packages = ("site-packages", "dist-packages")
        if file.startswith("<frozen ") or (
            file.startswith(self.stdlib) and not any(f"{os.sep}{name}{os.sep}" in file for name in packages)
        ):
            return Caller.PLUMBING
        return Caller.USER

    def handed_on(self, file: str) -> dict[str, str | None]:
        inside = next(file[len(p) :] for p in self.pyspark if file.startswith(p)).replace(os.sep, "/")
        return _HANDED_ON[inside]


_places: _Places | None = None
_sites: dict[tuple[str, int, str, bool], CallSite] = {}
_statements: dict[str, tuple[int, dict[int, tuple[int, int]]]] = {}
_lock = threading.Lock()


def caller(frame: FrameType) -> tuple[Caller, str | None]:
    """Whose code a frame runs, and the operator's name where a function that hands calls on sets one."""
    global _places
    if _places is None:
        _places = _Places()
    code = frame.f_code
    kind = _places.kind(code.co_filename)
    if kind is Caller.USER:
        return kind, None
    if kind is Caller.MIXED:
        functions = _places.handed_on(code.co_filename)
        if code.co_name in functions:
            return Caller.PLUMBING, functions[code.co_name]
        return (Caller.PLUMBING, None) if "*" in functions else (Caller.INNER, None)
    if kind is Caller.OURS and frame.f_globals.get("__name__") == "__main__":
        return Caller.USER, None  # a script that ships inside the package, run as the user's own
    return kind, None


def capture(frame: FrameType | None, *, masked: bool = False) -> CallSite | None:
    """The innermost frame of the user's own code.

    Args:
        frame: where to start looking, outward.
        masked: replace the literals in the statement's text.

    Returns:
        The place, or None where no frame is the user's (a bare thread that runs a PySpark method).
    """
    while frame is not None:
        if caller(frame)[0] is Caller.USER:
            return _site(frame, masked)
        frame = frame.f_back
    return None


def _site(frame: FrameType, masked: bool) -> CallSite:
    code, line = frame.f_code, frame.f_lineno
    key = (code.co_filename, line, code.co_name, masked)
    site = _sites.get(key)
    if site is None:
        text = _statement(code.co_filename, line, frame.f_globals)
        text = mask_literals(text) if masked else without_secrets(text)
        if len(text) > _MOST_TEXT:
            text = text[: _MOST_TEXT - 1] + "…"
        site = CallSite(_shown_file(code.co_filename), line, text, code.co_name)
        with _lock:
            if len(_sites) >= _MOST_SITES:
                _sites.clear()
            _sites[key] = site
    return site


def _shown_file(file: str) -> str:
    """`cell N` for code typed into IPython or a notebook, else the absolute path."""
    ipython = sys.modules.get("IPython")
    if ipython is not None:
        shell: Any = ipython.get_ipython()
        if shell is not None:
            cells = getattr(getattr(shell, "compile", None), "_filename_map", None) or {}
            if file in cells:
                return f"cell {cells[file]}"
    typed = _IPYTHON_INPUT.match(file)
    if typed:
        return f"cell {typed.group(1)}"
    return file if file.startswith("<") else os.path.abspath(file)


def _statement(file: str, line: int, module: dict[str, Any]) -> str:
    """The source text of the statement that a line belongs to; of a compound one only its head."""
    linecache.checkcache(file)
    lines = linecache.getlines(file, module)
    if not 1 <= line <= len(lines):
        return ""
    first, last = _spans(file, lines).get(line, (line, line))
    block = lines[first - 1 : last]
    margin = len(block[0]) - len(block[0].lstrip())
    return "".join(text[margin:] if not text[:margin].strip() else text for text in block).strip()


def _spans(file: str, lines: list[str]) -> dict[int, tuple[int, int]]:
    """Line number to the first and last line of its innermost statement, parsed once a file."""
    if len(lines) > _MOST_PARSED_LINES:
        return {}
    stamp = hash("".join(lines))
    known = _statements.get(file)
    if known is not None and known[0] == stamp:
        return known[1]
    spans: dict[int, tuple[int, int]] = {}
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        tree = ast.Module(body=[], type_ignores=[])
    for node in ast.walk(tree):  # breadth first: inner statements come after, and win
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            span = (node.lineno, max(last, node.lineno))
            spans.update((number, span) for number in range(span[0], span[1] + 1))
    _statements[file] = (stamp, spans)
    return spans


def without_secrets(text: str) -> str:
    """Source text, its literals masked where it speaks of passwords and the like."""
    return mask_literals(text) if _SECRET.search(text) else text


def mask_literals(text: str) -> str:
    """Source text with every string and number replaced by `…`, and comments left out.

    Text that can't be tokenized is replaced whole: what isn't understood might hold a value.
    """
    hidden = {tokenize.STRING, tokenize.NUMBER, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    pieces: list[str] = []
    row, column = 1, 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in skipped or token.type == tokenize.COMMENT:
                continue
            if token.type == tokenize.ERRORTOKEN and token.string.strip():
                return "…"
            if token.start[0] > row:
                pieces.append("\n" * (token.start[0] - row))
                row, column = token.start[0], 0
            pieces.append(" " * (token.start[1] - column))
            pieces.append("…" if token.type in hidden else token.string)
            row, column = token.end
    except (tokenize.TokenError, SyntaxError):
        return "…"
    return "".join(pieces).strip()


def _package_folders(name: str) -> tuple[str, ...]:
    package = sys.modules.get(name)
    paths = list(getattr(package, "__path__", [])) if package is not None else []
    folders = {os.path.join(path, "") for path in paths}
    return tuple(sorted(folders | {os.path.join(os.path.realpath(path), "") for path in paths}))


def _folder(file: str) -> str:
    return os.path.join(os.path.dirname(file), "")
