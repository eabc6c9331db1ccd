"""The function in the user's code that builds a frame or an RDD, found from the call sites of its operators."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigdebug.lineage.callsite import CallSite

_SPARK = re.compile(r"spark|session|sql_?context", re.IGNORECASE)
_CONTEXT = re.compile(r"sc|(spark_?)?context", re.IGNORECASE)
_DATA = re.compile(r"(.*\.)?(DataFrame|RDD(\[.*\])?)")
_PATH = re.compile(r"path|file|folder|dir|input|source|uri|url|location", re.IGNORECASE)
_HARMLESS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
READERS = ("csv", "json", "orc", "parquet", "text", "load")
"""Methods of a DataFrameReader."""
RDD_READERS = (
    "textFile", "wholeTextFiles", "binaryFiles", "binaryRecords", "sequenceFile", "pickleFile", "newAPIHadoopFile",
    "hadoopFile", "newAPIHadoopRDD", "hadoopRDD",
)  # fmt: skip
"""Methods of a SparkContext."""


@dataclass(frozen=True)
class Read:
    """A source, as far as the code that builds a frame has to do with it.

    Attributes:
        name: the source's.
        call_site: where it is read or made.
        paths: as the program wrote them; none where it isn't read from files.
        made: its data is made in the program.
    """

    name: str
    call_site: CallSite | None
    paths: tuple[str, ...] = ()
    made: bool = False


@dataclass(frozen=True)
class Builder:
    """A function that can be called to build the frame again.

    Attributes:
        file: where it stands.
        name: of the function.
        arguments: by parameter the session or its context, the name of a source whose data it takes, or a path:
            kind and value.
        frames: names of the sources whose data it takes.
    """

    file: str
    name: str
    arguments: tuple[tuple[str, str], ...]
    frames: tuple[str, ...]


class NoBuilderError(Exception):
    """There is no function that a test could call; says why."""


def find_builder(top: CallSite | None, sites: Sequence[CallSite | None], reads: Sequence[Read]) -> Builder:
    """The function of a file that builds a frame, with what to call it with.

    Of several it is the outermost: what is to be mended may be in any of those that it calls.

    Args:
        top: where the frame's last operator stands.
        sites: where all of its operators stand.
        reads: its sources.

    Raises:
        NoBuilderError: there is none.
    """
    if top is None or not Path(top.file).is_file():
        raise NoBuilderError("it isn't known where in the code it is built")
    code = _Code(top.file)
    givers = [each for each in code.functions.values() if code.gives(each, top)]
    reasons = []
    for function in sorted(givers, key=lambda each: -len(code.reached(each))):
        try:
            return _called(code, function, sites, reads)
        except NoBuilderError as error:
            reasons.append(f"{function.name}: {error}")
    raise NoBuilderError(reasons[0] if reasons else "no function returns it")


@dataclass(frozen=True)
class _Function:
    node: ast.FunctionDef
    file: str

    @property
    def name(self) -> str:
        return self.node.name

    def returned(self) -> Iterator[ast.expr]:
        """What it gives: the values of its returns, and what was put into the variables that these name."""
        for node in _own(self.node):
            if not isinstance(node, ast.Return) or node.value is None:
                continue
            yield node.value
            if isinstance(node.value, ast.Name):
                yield from self._put_into(node.value.id)

    def _put_into(self, name: str) -> Iterator[ast.expr]:
        for node in _own(self.node):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            named = any(isinstance(each, ast.Name) and each.id == name for each in targets)
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and named:
                yield node.value

    def __contains__(self, site: CallSite) -> bool:
        last = self.node.end_lineno or self.node.lineno
        return site.file == self.file and self.node.lineno <= site.line <= last


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function, those of functions within it left out."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack += ast.iter_child_nodes(node)


class _Code:
    """A file that can be imported.

    Raises:
        NoBuilderError: it can't be, or to import it would run the program.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        try:
            tree = ast.parse(Path(file).read_text())
        except (SyntaxError, ValueError, OSError) as error:
            raise NoBuilderError(f"{file} can't be read") from error
        for statement in tree.body:
            if not _is_harmless(statement):
                raise NoBuilderError(
                    f"to import {Path(file).name} would run it, from line {statement.lineno} on"
                )
        self.functions = {
            each.name: _Function(each, file) for each in tree.body if isinstance(each, ast.FunctionDef)
        }

    def gives(self, function: _Function, top: CallSite, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a function returns what is made at a call site, itself or by another that it calls."""
        if function.node.decorator_list or function.name in seen:
            return False
        for value in function.returned():
            if top in function and value.lineno <= top.line <= (value.end_lineno or value.lineno):
                return True
            called = value.func if isinstance(value, ast.Call) else None
            other = self.functions.get(called.id) if isinstance(called, ast.Name) else None
            if other is not None and self.gives(other, top, seen | {function.name}):
                return True
        return False

    def reached(self, function: _Function) -> set[str]:
        """Names of the functions of this file that it calls, or functions that it calls, and its own."""
        found: set[str] = set()
        stack = [function.name]
        while stack:
            name = stack.pop()
            if name in found:
                continue
            found.add(name)
            for node in ast.walk(self.functions[name].node):
                if isinstance(node, ast.Name) and node.id in self.functions:
                    stack.append(node.id)
        return found


def _is_harmless(statement: ast.stmt) -> bool:
    """Whether importing a file may run this statement of it."""
    if isinstance(statement, ast.If):
        text = ast.unparse(statement.test)
        return "__name__" in text or "TYPE_CHECKING" in text
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        value = statement.value
        return value is None or not re.search(
            r"SparkSession|SparkContext|\bspark\.|\.read\b", ast.unparse(value)
        )
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, _HARMLESS)


def _called(
    code: _Code, function: _Function, sites: Sequence[CallSite | None], reads: Sequence[Read]
) -> Builder:
    names = code.reached(function)
    spans = [code.functions[name] for name in names]
    inside = [each for each in reads if each.call_site and any(each.call_site in span for span in spans)]
    given = [each for each in reads if each not in inside]
    if any(each.made for each in inside):
        raise NoBuilderError("it makes the data itself")
    of_reads = {each.call_site for each in reads}
    for site in sites:
        if site is not None and site not in of_reads and not any(site in span for span in spans):
            raise NoBuilderError(f"line {site.line} of {Path(site.file).name} has a part in it, too")
    arguments: list[tuple[str, str]] = []
    frames: list[str] = []
    for parameter in _required(function.node):
        kind = ast.unparse(parameter.annotation) if parameter.annotation else ""
        left = [each for each in given if each.name not in frames]
        if kind.endswith("SparkSession") or (not kind and _SPARK.fullmatch(parameter.arg)):
            arguments.append(("spark", "spark"))
        elif kind.endswith("SparkContext") or (not kind and _CONTEXT.fullmatch(parameter.arg)):
            arguments.append(("spark", "spark.sparkContext"))
        elif _DATA.fullmatch(kind) or (not kind and left and not _PATH.search(parameter.arg)):
            chosen = _of_name(parameter.arg, left)
            if chosen is None:
                raise NoBuilderError(f"what it takes as {parameter.arg} isn't known")
            frames.append(chosen.name)
            arguments.append(("frame", chosen.name))
        elif inside and (
            kind in ("str", "Path", "pathlib.Path", "os.PathLike[str]") or _PATH.search(parameter.arg)
        ):
            arguments.append(("path", _path(parameter.arg, spans, inside)))
        else:
            raise NoBuilderError(f"what it takes as {parameter.arg} isn't known")
    if len(frames) != len(given):
        raise NoBuilderError("it reads frames that are made elsewhere")
    return Builder(code.file, function.name, tuple(arguments), tuple(frames))


def _required(function: ast.FunctionDef) -> list[ast.arg]:
    """Parameters without a default."""
    every = [*function.args.posonlyargs, *function.args.args]
    if any(default is None for default in function.args.kw_defaults):
        raise NoBuilderError("it takes arguments by name alone")
    return every[: len(every) - len(function.args.defaults)]


def _of_name(name: str, sources: Sequence[Read]) -> Read | None:
    """The source that a parameter is called after, or the only one."""
    if len(sources) == 1:
        return sources[0]
    alike = [each for each in sources if name.lower() == re.split(r"\W", each.name.lower())[0]]
    return alike[0] if len(alike) == 1 else None


def _path(name: str, spans: Sequence[_Function], reads: Sequence[Read]) -> str:
    """What a parameter for a path stands for: a source's own path, or the folder that all are in."""
    for span in spans:
        for node in ast.walk(span.node):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            direct = any(isinstance(each, ast.Name) and each.id == name for each in node.args)
            if node.func.attr not in (*READERS, *RDD_READERS) or not direct:
                continue
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            here = [each for each in reads if each.call_site and each.call_site.line in lines and each.paths]
            if len(here) == 1:
                return here[0].paths[0]
    known = [path for each in reads for path in each.paths]
    if not known:
        raise NoBuilderError(f"the path that it takes as {name} isn't known")
    return (
        known[0]
        if len(reads) == 1 and len(spans) == 1 and _whole(name, spans[0])
        else str(Path(known[0]).parent)
    )


def _whole(name: str, span: _Function) -> bool:
    """Whether a parameter is used as it is, and nothing is put to it."""
    for node in ast.walk(span.node):
        if isinstance(node, ast.FormattedValue | ast.BinOp):
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if name in used:
                return False
    return True
