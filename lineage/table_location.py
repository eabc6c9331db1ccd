"""Where the files of a table lie, by what the catalog says of it."""

from __future__ import annotations

import logging
from typing import Any

from bigdebug.lineage.run import OutputHandle

logger = logging.getLogger("bigdebug")

_BY_NAME = ("write.saveAsTable", "write.insertInto", "writeTo.", "mergeInto.")


def names_table(action: str) -> bool:
    """Whether what an action of the program's writes to is the name of a table."""
    return action.startswith(_BY_NAME)


def note_location(output: OutputHandle, spark: Any, table: str | None) -> None:
    """Record where an output's rows lie that were written to a table: a later run may read them by their path.

    Args:
        output: an action that has ended.
        spark: the PySpark session it ran in.
        table: the table's name; None where it wrote to none.
    """
    location = None if table is None else table_location(spark, table)
    if location is not None:
        output.note(location=location)


def table_location(spark: Any, name: str) -> str | None:
    """The path or address that a table's files lie under; None where the catalog tells none.

    Only the table's entry is read: no file is listed, and nothing comes into the session's caches that the
    program would find there.

    Args:
        spark: the PySpark session whose catalogs, current catalog and database the name goes by.
        name: of the table, with its catalog and database or without.
    """
    try:
        state = spark._jsparkSession.sessionState()
        parts = state.sqlParser().parseMultipartIdentifier(name)
        names = [str(parts.apply(i)) for i in range(parts.size())]
        manager = state.catalogManager()
        if len(names) > 1 and manager.isCatalogRegistered(names[0]):
            catalog, namespace = manager.catalog(names[0]), names[1:-1]
        else:
            catalog = manager.currentCatalog()
            namespace = names[:-1] or list(manager.currentNamespace())
        gateway = spark.sparkContext._gateway
        where = gateway.new_array(gateway.jvm.java.lang.String, len(namespace))
        for i, part in enumerate(namespace):
            where[i] = part
        identifier = gateway.jvm.org.apache.spark.sql.connector.catalog.Identifier.of(where, names[-1])
        location = catalog.loadTable(identifier).properties().get("location")
    except (
        Exception
    ):  # no such table, or a catalog that holds none: nothing can be linked, and nothing is lost
        logger.debug("no location of the table %s", name, exc_info=True)
        return None
    return None if location is None else str(location)
