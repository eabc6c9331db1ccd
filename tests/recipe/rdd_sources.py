"""Every source of RDDs, with the options of its reader: of each a record is traced."""

import bz2
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pyspark import SparkContext
from pyspark.sql import SparkSession

from tests.recipe.queries import QUERIES, Query

_NEW = "org.apache.hadoop.mapreduce.lib.input."
_OLD = "org.apache.hadoop.mapred."
_LONG, _TEXT = "org.apache.hadoop.io.LongWritable", "org.apache.hadoop.io.Text"
_DIRS = "mapreduce.input.fileinputformat.inputdir"
_AT_MOST = "mapreduce.input.fileinputformat.split.maxsize"

PLACES: dict[str, list[tuple[str | None, int | None, int]]] = {}
"""By query the places of what it finds: file, partition and position."""

_Make = Callable[[SparkContext, str], Any]


def _source(*places: tuple[str | int, int]) -> Callable[[_Make], _Make]:
    """Of a source the record with r13 in it is traced.

    Args:
        places: of what is found: file or partition, and position.
    """

    def add(make: _Make) -> _Make:
        def frame(spark: SparkSession) -> Any:
            return (
                make(spark.sparkContext, _folder(spark)).map(lambda record: [record]).map(lambda one: one[0])
            )

        name = f"rdd_{make.__name__}"
        QUERIES[name] = Query(frame, "'r13' in str(x)")
        PLACES[name] = [(at, None, n) if isinstance(at, str) else (None, at, n) for at, n in places]
        return make

    return add


def write_files(spark: SparkSession, folder: Path) -> None:
    """Files for the sources to read, each with one record (or one file) that has r13 in it."""
    few = "".join(f"r{n}\n" for n in range(20))
    many = "".join(f"n{n * 7919 % 30011}\n" for n in range(30000))
    files = {
        "lines.txt": few,
        "some/a.txt": few[:30],
        "some/b.txt": few[30:].replace("\n", "\r\n"),
        "some/empty.txt": "",
        "deep/er/lines.txt": few,
        "dashed.txt": few.replace("\n", "-\n"),
        "pairs.txt": few.replace("r", "k;r"),
        "records.bin": "".join(f"r{n:02}." for n in range(20)),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    (folder / "lines.txt.gz").write_bytes(gzip.compress(few.encode()))
    (folder / "lines.txt.bz2").write_bytes(bz2.compress((many + few).encode(), 1))  # blocks of 100 kB
    context = spark.sparkContext
    context.parallelize([(n, f"r{n}") for n in range(20)], 2).saveAsSequenceFile(str(folder / "pairs"))
    context.parallelize([{"name": f"r{n}"} for n in range(20)], 2).saveAsPickleFile(
        str(folder / "pickles"), 3
    )


@contextmanager
def _told(context: SparkContext, setting: str, value: str) -> Iterator[None]:
    """Hadoop told so of all that is read meanwhile."""
    conf: Any = context._jsc.hadoopConfiguration()
    conf.set(setting, value)
    try:
        yield
    finally:
        conf.unset(setting)


def _folder(spark: SparkSession) -> str:
    """Where the files are: beside those of the view."""
    return str(Path(urlparse(spark.table("orders").inputFiles()[0]).path).parents[1] / "sources")


# -- texts ------------------------------------------------------------------------------------------


@_source(("b.txt", 3))
def lines_of_some_paths(context: SparkContext, folder: str) -> Any:
    return context.textFile(f"{folder}/some/[ab].txt,{folder}/some/empty.txt", 3)


@_source(("lines.txt", 13), ("lines.txt", 13))
def lines_read_twice(context: SparkContext, folder: str) -> Any:
    return context.textFile(f"{folder}/lines.txt,{folder}/lines.txt", 4)


@_source(("b.txt", 3))
def lines_as_bytes(context: SparkContext, folder: str) -> Any:
    return context.textFile(f"{folder}/some/{{b,empty}}.txt", 0, use_unicode=False)


@_source(("lines.txt.bz2", 30013), ("lines.txt.gz", 13))
def lines_of_compressed_files(context: SparkContext, folder: str) -> Any:
    return context.textFile(f"{folder}/lines.txt.*z*", 3)


@_source(("dashed.txt", 13))
def texts_that_end_as_hadoop_was_told(context: SparkContext, folder: str) -> Any:
    with _told(context, "textinputformat.record.delimiter", "-"):
        texts = context.textFile(f"{folder}/dashed.txt", 2)
        assert texts.getNumPartitions() == 2
    return texts


@_source(("lines.txt", 13))
def lines_of_folders_within_folders(context: SparkContext, folder: str) -> Any:
    with _told(context, "mapreduce.input.fileinputformat.input.dir.recursive", "true"):
        lines = context.textFile(f"{folder}/deep")
        assert lines.getNumPartitions() == 2
    return lines


# -- whole files ------------------------------------------------------------------------------------


@_source(("b.txt", 0), ("lines.txt", 0))
def whole_texts_as_bytes(context: SparkContext, folder: str) -> Any:
    return context.wholeTextFiles(f"{folder}/some/*.txt,{folder}/lines.txt", 3, use_unicode=False)


@_source(("lines.txt.gz", 0))
def whole_texts_of_compressed_files(context: SparkContext, folder: str) -> Any:
    return context.wholeTextFiles(f"{folder}/lines.txt.gz")


@_source(("b.txt", 0))
def binary_files(context: SparkContext, folder: str) -> Any:
    return context.binaryFiles(f"{folder}/some/{{a,b}}.txt", 3)


# -- records ----------------------------------------------------------------------------------------


@_source(("records.bin", 13))
def binary_records(context: SparkContext, folder: str) -> Any:
    return context.binaryRecords(f"{folder}/records.bin", 4)


@_source(("part-00001", 3))
def sequence_files(context: SparkContext, folder: str) -> Any:
    return context.sequenceFile(f"{folder}/pairs", minSplits=4, batchSize=4)


@_source(("part-00001", 3))
def pickled_files(context: SparkContext, folder: str) -> Any:
    return context.pickleFile(f"{folder}/pickles", 3)


@_source(("dashed.txt", 13))
def records_that_end_as_the_call_says(context: SparkContext, folder: str) -> Any:
    ends = {"textinputformat.record.delimiter": "-", _AT_MOST: "30"}
    return context.newAPIHadoopFile(f"{folder}/dashed.txt", f"{_NEW}TextInputFormat", _LONG, _TEXT, conf=ends)


@_source(("pairs.txt", 13))
def keys_and_values(context: SparkContext, folder: str) -> Any:
    form, ends = (
        f"{_NEW}KeyValueTextInputFormat",
        "mapreduce.input.keyvaluelinerecordreader.key.value.separator",
    )
    return context.newAPIHadoopFile(f"{folder}/pairs.txt", form, _TEXT, _TEXT, conf={ends: ";"}, batchSize=3)


@_source((0, 3))
def small_files_put_together(context: SparkContext, folder: str) -> Any:
    form = f"{_NEW}CombineTextInputFormat"
    return context.newAPIHadoopFile(f"{folder}/some/b.txt,{folder}/some/a.txt", form, _LONG, _TEXT)


@_source(("lines.txt", 13))
def what_settings_name(context: SparkContext, folder: str) -> Any:
    settings = {_DIRS: f"{folder}/lines.txt", _AT_MOST: "30"}
    lines = context.newAPIHadoopRDD(f"{_NEW}TextInputFormat", _LONG, _TEXT, conf=settings)
    settings.clear()  # of no matter to what was read
    return lines


@_source(("part-00001", 3))
def files_by_the_old_interface(context: SparkContext, folder: str) -> Any:
    form, number = f"{_OLD}SequenceFileInputFormat", "org.apache.hadoop.io.IntWritable"
    return context.hadoopFile(f"{folder}/pairs", form, number, _TEXT, batchSize=1)


@_source(("lines.txt", 13))
def what_settings_name_by_the_old_interface(context: SparkContext, folder: str) -> Any:
    return context.hadoopRDD(f"{_OLD}TextInputFormat", _LONG, _TEXT, conf={_DIRS: f"{folder}/lines.txt"})


# -- data at hand -----------------------------------------------------------------------------------


@_source((0, 2), (1, 3))
def data_at_hand(context: SparkContext, folder: str) -> Any:
    class Named:
        def __init__(self, number: int) -> None:
            self.name = f"r{number}"

        def __repr__(self) -> str:
            return self.name

    numbers = context.range(3, 33, 5, numSlices=1).map(lambda number: f"r{number}")
    return context.union([context.parallelize(map(Named, range(20)), 2), context.emptyRDD(), numbers])


INDEXED = (
    "rdd_texts_that_end_as_hadoop_was_told", "rdd_whole_texts_of_compressed_files", "rdd_whole_texts_as_bytes",
    "rdd_data_at_hand",
)  # fmt: skip
"""Those whose outputs are indexed, too."""
