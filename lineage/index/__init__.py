"""The whole lineage of an output, written down: for traces that need neither Spark nor the sources' files.

    <run>/lineage/<output>.json          what stands in the tables; appears when all is written
    <run>/lineage/<output>-<token>/      the tables, as Parquet
        segment-0/                       the output's rows and what they came from
        segment-<n>/                     the rows below a boundary, each file of it sorted by the boundary's key
        records-<n>/                     the records of a source that isn't in files
        below/                           what the RDDs were made of that DataFrames were made of (see `rdd/index`)
          output/, group-<leaf>/         what an RDD's elements, or those below a boundary, stem from
          frame-<leaf>/                  of a DataFrame whose rows are elements the same tables as above

An index of an RDD's output has the folders that stand in `below/` here. Only the file `<output>.json` tells of any.

One table a segment: a row holds the ids of the source records, or the keys of the boundary rows, that one row of
the dataflow came from (see `annotate.py`). Keys are hashes of 128 bits (see `keys.py`).
"""
