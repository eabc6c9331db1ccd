"""The whole way from a script to a later trace, against PostgreSQL and SQLite with their own drivers.

Skipped where these aren't at hand: on Debian the packages postgresql, libpostgresql-jdbc-java and
libxerial-sqlite-jdbc-java bring them. Jars elsewhere are named by BIGDEBUG_TEST_JDBC_JARS, a folder.
"""

import json
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bigdebug.lineage.java import ensure_java

PASSWORD = "quite a secret"
ROWS = [(n, f"c{n % 3}", float(n)) for n in range(12)]
SCRIPT = """
import os, sys
from pyspark.sql import SparkSession, functions as F
jar, url, user = sys.argv[1:]
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars", jar)
spark = builder.config("spark.driver.extraClassPath", jar).getOrCreate()
reader = spark.read.format("jdbc").option("url", url).option("dbtable", "orders")
if user:
    reader = reader.option("user", user).option("password", os.environ["SHOP_PASSWORD"])
sums = reader.load().where("total > 2").groupBy("customer").agg(F.sum("total").alias("sum"))
print(sorted(map(tuple, sums.collect())))
"""


@dataclass(frozen=True)
class Database:
    """How to reach one.

    Attributes:
        jar: of its driver.
        url: its JDBC address.
        user: its user; empty where it knows none.
        java: more options for Java.
    """

    jar: Path
    url: str
    user: str
    java: str = ""


def jar_named(name: str) -> Path:
    """A driver's jar, or no test."""
    for folder in (os.environ.get("BIGDEBUG_TEST_JDBC_JARS"), "/usr/share/java"):
        if folder is not None and (Path(folder) / name).exists():
            return (Path(folder) / name).resolve()
    pytest.skip(f"there is no {name}")


def postgres_tools() -> Path:
    found = shutil.which("pg_ctl")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("there is no PostgreSQL")
    return folders[-1]


def postgresql() -> Iterator[Database]:
    jar, tools = jar_named("postgresql.jar"), postgres_tools()
    # PostgreSQL doesn't run as root.
    owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        shutil.chown(folder, owner)
        data, secret = Path(folder) / "data", Path(folder) / "secret"
        secret.write_text(PASSWORD)
        shutil.chown(secret, owner)

        def run(tool: str, *arguments: str, text: str | None = None) -> None:
            command = [str(tools / tool), *arguments]
            subprocess.run(
                command,
                user=owner,
                cwd=folder,
                input=text,
                text=True,
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PGPASSWORD": PASSWORD},
            )

        run("initdb", "-D", str(data), "-U", "shop", "--auth", "scram-sha-256", f"--pwfile={secret}")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(Path(folder) / "log"), "-o", options, "start")
        try:
            statements = ["create table orders (id int, customer varchar(9), total float8)"]
            statements += [f"insert into orders values ({n}, '{c}', {t})" for n, c, t in ROWS]
            where = ("-h", "127.0.0.1", "-p", str(port), "-U", "shop", "-d", "postgres")
            run("psql", *where, "-q", "-v", "ON_ERROR_STOP=1", text=";\n".join(statements) + ";")
            yield Database(jar, f"jdbc:postgresql://127.0.0.1:{port}/postgres", "shop")
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def sqlite() -> Iterator[Database]:
    jar = jar_named("sqlite-jdbc.jar")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.db"
        with sqlite3.connect(file) as connection:
            connection.execute("create table orders (id int, customer varchar(9), total double)")
            connection.executemany("insert into orders values (?, ?, ?)", ROWS)
        native = (
            jar.parents[2] / "lib" / "x86_64-linux-gnu" / "jni"
        )  # where Debian puts the driver's own library
        yield Database(jar, f"jdbc:sqlite:{file}", "", f"-Djava.library.path={native}")


DATABASES = {"PostgreSQL": postgresql, "SQLite": sqlite}


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    yield from DATABASES[request.param]()


def bigdebug(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ensure_java()
    return subprocess.run(
        [sys.executable, "-m", "bigdebug", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYSPARK_PYTHON": sys.executable, **environment},
        timeout=300,
    )


def test_a_later_trace_asks_the_database_again(database: Database, tmp_path: Path) -> None:
    script, store = tmp_path / "sums.py", str(tmp_path / "store")
    script.write_text(SCRIPT)
    java = {"JDK_JAVA_OPTIONS": database.java} if database.java else {}
    arguments = (str(database.jar), database.url, database.user)
    ran = bigdebug("run", "--store", store, str(script), *arguments, **java, SHOP_PASSWORD=PASSWORD)
    assert ran.returncode == 0, ran.stderr
    assert "[('c0', 18.0), ('c1', 21.0), ('c2', 24.0)]" in ran.stdout
    written = [file for file in Path(store).rglob("*") if file.is_file()]
    assert [file.name for file in written if PASSWORD.encode() in file.read_bytes()] == []

    question = ("trace", "last", "1", "--store", store, "--where", "customer = 'c1'", "--json")
    told = bigdebug(*question, **java, BIGDEBUG_JDBC_PASSWORD=PASSWORD)
    assert told.returncode == 0, told.stderr
    (source,) = json.loads(told.stdout)["sources"]
    assert (source["name"], source["kind"], source["count"]) == ("orders", "jdbc", 3)
    assert sorted(record["value"]["id"] for record in source["records"]) == [4, 7, 10]
    if database.user:
        refused = bigdebug(*question, **java)
        assert refused.returncode == 3
        assert "BIGDEBUG_JDBC_PASSWORD" in refused.stderr
        assert PASSWORD not in refused.stderr
