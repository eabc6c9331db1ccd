"""Describe tables and queries of databases (JDBC), and read them again; secrets are asked of the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from bigdebug.lineage.catalyst import Catalyst
from bigdebug.lineage.errors import RecipeError, SourceChangedError, UnreachableError
from bigdebug.lineage.failure import first_line
from bigdebug.lineage.recipe.schemas import column_changes, types_by_column
from bigdebug.lineage.recipe.settings import holds_secret_word, is_secret, without_user
from bigdebug.lineage.sources import table_name

Description = dict[str, Any]

VARIABLE = "BIGDEBUG_JDBC_"
"""What environment variables with secrets begin with; the option's name in capitals follows."""

# What tells Spark how to part the read: the parts themselves are kept.
_PARTING = frozenset({"partitioncolumn", "lowerbound", "upperbound", "numpartitions"})
# What says what is read, and where: kept apart.
_ADDRESSING = frozenset({"url", "dbtable", "query"})
# SQL that may name a password.
_STATEMENTS = frozenset({"sessioninitstatement", "preparequery"})
_PARAMETER = re.compile(r"(?P<mark>[?&;,(])(?P<name>[\w.-]+)=(?P<value>[^&;,)]*)")
# Oracle's way to name a user: jdbc:oracle:thin:scott/tiger@//host/service
_ORACLE_USER = re.compile(r"(?<=:)[^:/@\s]+/[^@\s]*@")


def described_database(catalyst: Catalyst, relation: Any, redacts: Iterable[str]) -> Description:
    """What is needed to read a table or query again; no secrets.

    Args:
        relation: Spark's `JDBCRelation`.
        redacts: names of columns whose values must not be kept.

    Raises:
        RecipeError: the query, or what parts the read, names a redacted column: it may hold a value.
    """
    options = relation.jdbcOptions()
    given = catalyst.entries(options.parameters().originalMap())
    url, in_url = address_without_secrets(str(options.url()))
    kept, left_out = {}, list(in_url)
    for key, value in given.items():
        if key.lower() in _ADDRESSING | _PARTING:
            continue
        if is_secret(key) or (key.lower() in _STATEMENTS and holds_secret_word(value)):
            left_out.append(key)
        else:
            kept[key] = without_user(value)
    table = str(options.tableOrQuery())
    name = table_name(relation) or "query"
    parts = [part.whereClause() for part in relation.parts()]
    for text in (table, *filter(None, parts)):
        if any(re.search(rf"(?i)\b{re.escape(column)}\b", text) for column in redacts):
            raise RecipeError(
                f"the query to the database of {name} speaks of a redacted column",
                hint="trace in the running program with session.trace",
            )
    return {
        "kind": "jdbc",
        "name": name,
        "url": url,
        "driver": str(options.driverClass()),
        "table": table,
        "parts": parts,
        "options": kept,
        "left_out": sorted(set(left_out), key=str.lower),
        "schema": json.loads(relation.schema().json()),
    }


def address_without_secrets(url: str) -> tuple[str, list[str]]:
    """A JDBC address less users with passwords and secret parameters, and the names of these."""
    gone: list[str] = []
    bare = _ORACLE_USER.sub("@", without_user(url))
    if bare != url:
        gone += ["user", "password"]

    def without(match: re.Match[str]) -> str:
        if not is_secret(match["name"]):
            return match[0]
        gone.append(match["name"])
        return match["mark"] if match["mark"] in "?(" else ""

    return re.sub(r"[?&]+$", "", _PARAMETER.sub(without, bare).replace("?&", "?")), gone


def read_database(catalyst: Catalyst, description: Description) -> DataFrame:
    """The records as the database has them now, in the parts that the run read.

    Raises:
        UnreachableError: the driver isn't there, or the database doesn't answer.
        SourceChangedError: the table is gone or has other columns.
    """
    name = description["name"]
    properties = {**description["options"], **secrets(description), "driver": description["driver"]}
    _require_driver(catalyst, description)
    clauses = [clause for clause in description["parts"] if clause]
    reader = catalyst.spark.read
    try:
        if len(clauses) == len(description["parts"]):
            frame = reader.jdbc(
                description["url"], description["table"], predicates=clauses, properties=properties
            )
        else:
            frame = reader.jdbc(description["url"], description["table"], properties=properties)
    except (PySparkException, Py4JJavaError) as error:
        raise UnreachableError(
            f"{name} can't be read from {description['url']}: {first_line(error)}",
            hint=_what_to_set(description),
        ) from error
    _require_same_columns(description, json.loads(frame.schema.json()))
    return frame


def secrets(
    description: Description, environment: Callable[[str], str | None] = os.environ.get
) -> dict[str, str]:
    """Options whose values weren't kept, taken from the environment; the user, too, if it names one.

    `BIGDEBUG_JDBC_PASSWORD_ORDERS` is for the source `orders` alone, `BIGDEBUG_JDBC_PASSWORD` for all.
    """
    found = {}
    for option in dict.fromkeys((*description["left_out"], "user")):
        for variable in _variables(description, option):
            value = environment(variable)
            if value is not None:
                found[option] = value
                break
    return found


def _variables(description: Description, option: str) -> tuple[str, str]:
    general = VARIABLE + _capitals(option)
    return f"{general}_{_capitals(description['name'])}", general


def _capitals(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def _what_to_set(description: Description) -> str:
    missing = [option for option in description["left_out"] if option not in secrets(description)]
    if missing:
        names = " and ".join(_variables(description, option)[1] for option in missing)
        return f"is the database up? passwords aren't kept in a run: set {names} in the environment"
    return "is the database up, and does it know the user and the table?"


def _require_driver(catalyst: Catalyst, description: Description) -> None:
    loader = catalyst.singleton(catalyst.jvm.org.apache.spark.util, "Utils").getContextOrSparkClassLoader()
    try:
        loader.loadClass(description["driver"])
    except Py4JJavaError:
        raise UnreachableError(
            f"{description['name']} was read with the driver {description['driver']}, which isn't here",
            hint="name its jar: PYSPARK_SUBMIT_ARGS='--jars driver.jar pyspark-shell' bigdebug trace …",
        ) from None


def _require_same_columns(description: Description, now: Any) -> None:
    changes = column_changes(description["schema"], now)
    if changes or list(types_by_column(description["schema"])) != list(types_by_column(now)):
        told = ", ".join(changes) if changes else "its columns are in another order"
        raise SourceChangedError(
            f"{description['name']} isn't what it was when the run read it: {told}",
            hint="a trace needs the table as it was; run the program again to record one of what it is now",
        )
