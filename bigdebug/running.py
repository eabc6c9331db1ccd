"""Runs a user's script as `python script.py` would, in every way the script can notice."""

import importlib.machinery
import json
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from bigdebug.recording import Recording, RecordingSettings

SETTINGS = "BIGDEBUG_RUN"
"""Environment variable by which `bigdebug run` hands its options to the process it turns into."""

_OURS = str(Path(__file__).parent) + os.sep
_Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def main() -> None:
    """Run the script that the command line names; called by `launcher.py` and by nobody else."""
    handed_over = json.loads(os.environ.pop(SETTINGS, "{}"))
    as_module = handed_over.pop("as_module", False)
    if len(sys.argv) < 2:
        print('error: no script given\nhint: spark-submit "$(bigdebug launcher)" script.py', file=sys.stderr)
        sys.exit(2)
    if handed_over:
        settings = RecordingSettings(**handed_over)
    else:
        settings = RecordingSettings.from_environment()
        sys.argv[1] = os.path.abspath(sys.argv[1])  # as spark-submit hands over a script
    recording = Recording(settings)
    recording.begin()
    try:
        if as_module:
            _run_module(sys.argv[1], sys.argv[2:])
        else:
            _run_file(sys.argv[1], sys.argv[2:])
    except SystemExit as stop:
        recording.end_starting_java(stop)
        raise
    except BaseException as error:
        recording.end_starting_java(error)
        # From here Python itself reports the error and ends the process, just as it would without us
        # (a second error in a hook, death by SIGINT, …). It only mustn't show our frames.
        recording.failed_with = error
        sys.excepthook = _without_our_frames(sys.excepthook, recording)
        raise


def _run_file(path: str, arguments: list[str]) -> None:
    sys.argv = [path, *arguments]
    absolute = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    if pkgutil.get_importer(absolute) is not None:
        # A folder or a zip file with a __main__.py.
        _empty_main()
        sys.path.insert(0, absolute)
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    loader: object
    if path.endswith(".pyc"):
        loader = importlib.machinery.SourcelessFileLoader("__main__", absolute)
        code = loader.get_code("__main__")
        assert code
    else:
        loader = importlib.machinery.SourceFileLoader("__main__", absolute)
        code = compile(_read(path), absolute, "exec", dont_inherit=True)
    namespace = _empty_main()
    namespace.update(__file__=absolute, __loader__=loader, __cached__=None)
    exec(code, namespace)


def _run_module(name: str, arguments: list[str]) -> None:
    sys.argv = ["-m", *arguments]
    if not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())
    _empty_main()
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        _give_up(f"can't open {path}: {error.strerror}")


def _give_up(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


def _empty_main() -> dict[str, object]:
    """The namespace of `__main__` as Python has it before a script runs."""
    namespace = vars(sys.modules["__main__"])
    for name in list(namespace):
        if not (name.startswith("__") and name.endswith("__")):
            del namespace[name]
    namespace.pop("__file__", None)
    namespace.pop("__cached__", None)
    namespace["__doc__"] = None
    return namespace


def _without_our_frames(hook: _Hook, recording: Recording) -> _Hook:
    def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        for each in _chain(error):
            each.__traceback__ = _trimmed(each.__traceback__)
        sys.last_traceback = error.__traceback__
        hook(kind, error, error.__traceback__)
        recording.explain_failure()

    return show


def _chain(error: BaseException) -> list[BaseException]:
    """The error and all those that Python would show with it."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and not any(each is seen for seen in found):
            found.append(each)
            left += [each.__cause__, each.__context__]
            if isinstance(each, BaseExceptionGroup):
                left += each.exceptions
    return found


def _trimmed(traceback: TracebackType | None) -> TracebackType | None:
    while traceback and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    kept = traceback
    while kept:
        follows = kept.tb_next
        while follows and follows.tb_frame.f_code.co_filename.startswith(_OURS):
            follows = follows.tb_next
        kept.tb_next = follows
        kept = follows
    return traceback
