"""What columns of an index's tables are called."""

KEY = ("h1", "h2")
"""The hashes of a segment's key; the first column of its table is the first of them."""

ID = "id"
"""Record ids in the table of a source's records; its columns are `c0`, `c1`, …"""
