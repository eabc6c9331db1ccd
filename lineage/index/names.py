"""What columns of an index's tables are called."""

KEY = ("h1", "h2")
"""The hashes of a segment's key; the first column of its table is the first of them."""

AT = "at"
"""Where keys hold a session: when the row's own window starts. A row belongs to the session that this falls into."""

NUMBER = "number"
"""Where the rows are those that an RDD is made of: the number that Spark gave each of them."""

ID = "id"
"""Record ids in the table of a source's records; its columns are `c0`, `c1`, …"""

COMPARABLE = frozenset(
    {
        "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "string", "date",
        "timestamp", "timestamp_ntz",
    }
)  # fmt: skip
"""Types, without their parameters, on which a condition can be evaluated without Spark."""
