"""A database with a table of orders, behind JDBC: an embedded Derby, which comes with PySpark."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bigdebug.lineage.trace import Trace

DRIVER = "org.apache.derby.iapi.jdbc.AutoloadedDriver"
ROWS = [(n, f"c{n % 3}", float(n)) for n in range(12)]

READS: dict[str, dict[str, Any]] = {
    "whole": {},
    "in parts": {"partitionColumn": "id", "lowerBound": 0, "upperBound": 12, "numPartitions": 3},
    "a query": {"dbtable": "(select id, customer, total from orders where id < 100) q"},
}


class Database:
    """A database in memory.

    Args:
        spark: whose JVM it lives in.
        name: no other is called so.
    """

    def __init__(self, spark: SparkSession, name: str) -> None:
        self.url = f"jdbc:derby:memory:{name}"
        self._jvm: Any = spark._jvm
        self._jvm.java.lang.Class.forName(DRIVER)
        self.run("create table orders (id int, customer varchar(9), total double)", options=";create=true")
        self.run(*(f"insert into orders values ({n}, '{c}', {t})" for n, c, t in ROWS))

    def run(self, *statements: str, options: str = "") -> None:
        connection = self._jvm.java.sql.DriverManager.getConnection(self.url + options)
        try:
            for statement in statements:
                connection.createStatement().execute(statement)
        finally:
            connection.close()

    def require_password(self, user: str, password: str) -> None:
        """Copy the table for a user, and let in nobody else."""
        setting = "call syscs_util.syscs_set_database_property"
        self.run(
            f"create schema {user}",
            f"create table {user}.orders as select * from orders with no data",
            f"insert into {user}.orders select * from orders",
            f"{setting}('derby.authentication.provider', 'BUILTIN')",
            f"{setting}('derby.database.propertiesOnly', 'true')",
            f"{setting}('derby.user.{user}', '{password}')",
            f"{setting}('derby.connection.requireAuthentication', 'true')",
        )
        # It asks from its next start on.
        with pytest.raises(Exception, match="shutdown"):  # which is how Derby says that it did
            self.run(options=";shutdown=true")


def orders(spark: SparkSession, shop: Database, **options: Any) -> DataFrame:
    options = {"url": shop.url, "dbtable": "orders", "driver": DRIVER, **options}
    return spark.read.format("jdbc").options(**options).load()


def by_customer(frame: DataFrame) -> DataFrame:
    return frame.where("total > 2").groupBy("customer").agg(F.sum("total").alias("sum"))


def ids(trace: Trace) -> list[int]:
    return sorted(record.value["ID"] for record in trace.collect())
