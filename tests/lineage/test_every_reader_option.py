"""Every option of PySpark's readers: the record named for each row, looked up by hand in its file, is the right one.

Each case reads files of its own; all of a format are one frame, with a source each, and traced at once. A record
holds a marker that is in no other record, and the case says how its files fall into records.
"""

import bz2
import gzip
import inspect
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F

import bigdebug
from bigdebug.lineage.trace import Trace
from tests.thinned import thinned

FORMATS = ("csv", "json", "text", "parquet", "orc", "xml")
_PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".deflate": zlib.decompress,
}
MARKER = re.compile(r"m\d+m")


@dataclass(frozen=True)
class Case:
    """Files, the options that they are read with, and how they fall into records.

    Attributes:
        options: of the reader; those that name the test's folder hold `{folder}`.
        files: their text by name; where it is bytes it is written as it is.
        marker: SQL for the column of the rows that holds the marker.
        end: what ends a record in the file.
        skipped: what a part of the text that is no record holds.
        lost: markers of records that the reader drops, or of files that it doesn't read.
        schema: None to have Spark infer it.
        encoding: of the files' texts.
        paths: what is read of the folder.
    """

    options: dict[str, Any]
    files: dict[str, str | bytes]
    marker: str = "n"
    end: str = "\n"
    skipped: tuple[str, ...] = ()
    lost: frozenset[str] = frozenset()
    schema: str | None = "n string, v string"
    encoding: str = "utf-8"
    paths: tuple[str, ...] = ("",)

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            data = text if isinstance(text, bytes) else text.encode(self.encoding)
            pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".deflate": zlib.compress}.get(
                Path(name).suffix
            )
            (folder / name).write_bytes(pack(data) if pack and isinstance(text, str) else data)  # type: ignore[operator]

    def read(self, spark: SparkSession, folder: Path, format: str) -> DataFrame:
        reader = spark.read.format(format)
        for name, value in self.options.items():
            reader = reader.option(
                name, value.replace("{folder}", str(folder)) if isinstance(value, str) else value
            )
        if self.schema is not None:
            reader = reader.schema(self.schema)
        return reader.load([str(folder / path) if path else str(folder) for path in self.paths])

    def records(self, file: Path) -> list[str]:
        """The texts of a file's records."""
        data = file.read_bytes()
        unpack = _PACKED.get(file.suffix)
        text = (unpack(data) if unpack else data).decode(self.encoding)
        parts = [part for part in text.split(self.end) if part.strip()]
        return [
            part
            for part in parts
            if not any(word in part for word in self.skipped) and not self.lost & set(MARKER.findall(part))
        ]


def lines(first: int, count: int, line: str = "m{n}m,{n}", end: str = "\n") -> str:
    return "".join(line.replace("{n}", str(n)) + end for n in range(first, first + count))


TWO = {"a.csv": lines(0, 4), "b.csv": lines(10, 3)}
J = '{"n": "m{n}m", "v": "{n}"}'
JSONS = {"a.json": lines(0, 4, J), "b.json": lines(10, 3, J)}


def csv_with(line: str, marker: str = "n", schema: str | None = "n string, v string", **options: Any) -> Case:
    return Case(options, {"a.csv": lines(0, 4, line), "b.csv": lines(10, 3, line)}, marker, schema=schema)


def json_with(
    line: str, marker: str = "n", schema: str | None = "n string, v string", **options: Any
) -> Case:
    return Case(options, {"a.json": lines(0, 4, line), "b.json": lines(10, 3, line)}, marker, schema=schema)


PLACES: dict[str, Callable[[dict[str, str | bytes]], Case]] = {
    "pathGlobFilter": lambda files: Case(
        {"pathGlobFilter": "a.*"}, files, lost=frozenset({"m10m", "m11m", "m12m"})
    ),
    "recursiveFileLookup": lambda files: Case(
        {"recursiveFileLookup": True}, {f"x/y{i}/{name}": text for i, (name, text) in enumerate(files.items())}
    ),
    "modifiedBefore": lambda files: Case({"modifiedBefore": "2100-01-01T00:00:00"}, files),
    "modifiedAfter": lambda files: Case(
        {"modifiedAfter": "2001-01-01T00:00:00"}, files, lost=frozenset({"m10m", "m11m", "m12m"})
    ),
    "basePath": lambda files: Case(
        {"basePath": "{folder}"},
        {f"p={i}/{name}": text for i, (name, text) in enumerate(files.items())},
        "concat(n, '')",
        paths=("p=1", "p=0"),
    ),
    "ignoreCorruptFiles": lambda files: Case({"ignoreCorruptFiles": True}, {**files, "c.gz": b"no gzip"}),
    "ignoreMissingFiles": lambda files: Case({"ignoreMissingFiles": True}, files),
    "many paths": lambda files: Case({}, files, paths=tuple(sorted(files, reverse=True))),
    "glob": lambda files: Case({}, files, paths=("[ab].*",)),
    "empty files": lambda files: Case({}, {**files, "c" + Path(next(iter(files))).suffix: ""}),
}  # fmt: skip

CSV: dict[str, Case] = {
    "sep": csv_with("m{n}m|{n}", sep="|"),
    "sep of several letters": csv_with("m{n}m::{n}", sep="::"),
    "delimiter": csv_with("m{n}m;{n}", delimiter=";"),
    "encoding": Case({"encoding": "ISO-8859-1"}, {"a.csv": lines(0, 4, "m{n}m,\xe9")}, encoding="latin-1"),
    "encoding UTF-16LE": Case(
        {"encoding": "UTF-16LE", "lineSep": "\n"}, {"a.csv": lines(0, 4)}, encoding="utf-16le"
    ),
    "encoding UTF-16 over lines": Case(
        {"encoding": "UTF-16", "multiLine": True}, {"a.csv": lines(0, 4)}, encoding="utf-16"
    ),
    "quote": csv_with("'m{n}m','{n},'", quote="'"),
    "no quote": csv_with('"m{n}m,{n}', quote=""),
    "escape": csv_with('m{n}m,"{n}^","', escape="^"),
    "charToEscapeQuoteEscaping": csv_with('m{n}m,"{n}^^"', escape="^", charToEscapeQuoteEscaping="!"),
    "comment": Case(
        {"comment": "#"}, {"a.csv": "# m90m\n" + lines(0, 4) + "\n#m91m\n\n" + lines(5, 2)}, skipped=("#",)
    ),
    "header in several files": Case(
        {"header": True}, {name: f"n,v\n{text}" for name, text in TWO.items()}, skipped=("n,v",)
    ),
    "inferSchema and samplingRatio": Case(
        {"header": True, "inferSchema": True, "samplingRatio": 0.5},
        {name: f"n,v\n{text}" for name, text in TWO.items()},
        skipped=("n,v",),
        schema=None,
    ),
    "enforceSchema": Case(
        {"header": True, "enforceSchema": False}, {name: f"n,v\n{t}" for name, t in TWO.items()}, skipped=("n,v",)
    ),
    "ignoreLeadingWhiteSpace": csv_with("   m{n}m,{n}", ignoreLeadingWhiteSpace=True),
    "ignoreTrailingWhiteSpace": csv_with("m{n}m  , {n}  ", ignoreTrailingWhiteSpace=True),
    "nullValue": csv_with("m{n}m,none", nullValue="none"),
    "emptyValue": csv_with('m{n}m,""', emptyValue="nothing"),
    "nanValue": csv_with("m{n}m,nn", schema="n string, v double", nanValue="nn"),
    "positiveInf": csv_with("m{n}m,big", schema="n string, v double", positiveInf="big"),
    "negativeInf": csv_with("m{n}m,low", schema="n string, v double", negativeInf="low"),
    "dateFormat": csv_with("m{n}m,05/02/2026", schema="n string, v date", dateFormat="dd/MM/yyyy"),
    "timestampFormat": csv_with("m{n}m,05-02-2026 7", schema="n string, v timestamp", timestampFormat="dd-MM-yyyy H"),
    "timestampNTZFormat": csv_with(
        "m{n}m,05-02-2026 7", schema="n string, v timestamp_ntz", timestampNTZFormat="dd-MM-yyyy H"
    ),
    "timeZone": csv_with("m{n}m,2026-01-01 00:00:00", schema="n string, v timestamp", timeZone="Asia/Tokyo"),
    "preferDate": csv_with("m{n}m,2026-01-01", "_c0", None, inferSchema=True, preferDate=True),
    "enableDateTimeParsingFallback": csv_with(
        "m{n}m,2026-1-1", schema="n string, v date", enableDateTimeParsingFallback=True
    ),
    "locale": csv_with("m{n}m,05 Mai 2026", schema="n string, v date", dateFormat="dd MMMM yyyy", locale="de-DE"),
    "maxColumns": csv_with("m{n}m,{n}", maxColumns=3),
    "maxCharsPerColumn": csv_with("m{n}m,{n}", maxCharsPerColumn=100),
    "maxMalformedLogPerPartition": csv_with("m{n}m,{n}", maxMalformedLogPerPartition=1),
    "unescapedQuoteHandling": csv_with('m{n}m,{n}"x', unescapedQuoteHandling="STOP_AT_DELIMITER"),
    "lineSep": Case({"lineSep": ";"}, {"a.csv": lines(0, 4, end=";")}, end=";"),
    "line ends of Windows": Case({}, {"a.csv": lines(0, 4, end="\r\n")}),
    "multiLine": Case(
        {"multiLine": True}, {"a.csv": lines(0, 4, 'm{n}m,"{n}\nmore"')}, end='more"\n'
    ),
    "mode PERMISSIVE, columnNameOfCorruptRecord": Case(
        {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "bad"},
        {"a.csv": "m0m,0\nm1m,x\nm2m,2\n"},
        "concat(n, if(bad is null, '', ''))",
        schema="n string, v int, bad string",
    ),
    "mode DROPMALFORMED": Case(
        {"mode": "DROPMALFORMED"},
        {"a.csv": "m0m,0\nm1m,x\nm2m,2\n"},
        "concat(n, left(v, 0))",
        lost=frozenset({"m1m"}),
        schema="n string, v int",
    ),
    "mode FAILFAST": csv_with("m{n}m,{n}", mode="FAILFAST"),
    "columnPruning": csv_with("m{n}m,{n}", columnPruning=False),
    **{f"packed as {s}": Case({}, {f"a.csv{s}": lines(0, 5), f"b.csv{s}": lines(10, 2)}) for s in _PACKED},
    **{name: make(TWO) for name, make in PLACES.items()},
}  # fmt: skip

JSON: dict[str, Case] = {
    "primitivesAsString": json_with('{"n": "m{n}m", "v": {n}}', schema=None, primitivesAsString=True),
    "prefersDecimal": json_with('{"n": "m{n}m", "v": {n}.5}', schema=None, prefersDecimal=True),
    "allowComments": json_with('{"n": "m{n}m" /* {n} */}', allowComments=True),
    "allowUnquotedFieldNames": json_with('{n: "m{n}m"}', allowUnquotedFieldNames=True),
    "allowSingleQuotes": json_with("{'n': 'm{n}m'}", allowSingleQuotes=True),
    "allowNumericLeadingZero": json_with(
        '{"n": "m{n}m", "v": 00{n}}',
        schema="n string, v int",
        allowNumericLeadingZero=True,  # as PySpark calls it
        allowNumericLeadingZeros=True,  # as Spark does
    ),
    "allowBackslashEscapingAnyCharacter": json_with(
        '{"n": "m{n}m", "v": "\\k"}', allowBackslashEscapingAnyCharacter=True
    ),
    "allowUnquotedControlChars": json_with('{"n": "m{n}m", "v": "\x01"}', allowUnquotedControlChars=True),
    "allowNonNumericNumbers": json_with(
        '{"n": "m{n}m", "v": NaN}', schema="n string, v double", allowNonNumericNumbers=True
    ),
    "dateFormat": json_with('{"n": "m{n}m", "v": "05/02/2026"}', schema="n string, v date", dateFormat="dd/MM/yyyy"),
    "timestampFormat": json_with(
        '{"n": "m{n}m", "v": "05-02-2026 7"}', schema="n string, v timestamp", timestampFormat="dd-MM-yyyy H"
    ),
    "timestampNTZFormat": json_with(
        '{"n": "m{n}m", "v": "05-02-2026 7"}', schema="n string, v timestamp_ntz", timestampNTZFormat="dd-MM-yyyy H"
    ),
    "timeZone": json_with('{"n": "m{n}m"}', timeZone="Asia/Tokyo"),
    "locale": json_with(
        '{"n": "m{n}m", "v": "05 Mai 2026"}', schema="n string, v date", dateFormat="dd MMMM yyyy", locale="de-DE"
    ),
    "useUnsafeRow": json_with(J, useUnsafeRow=True),
    "samplingRatio": json_with(J, schema=None, samplingRatio=0.9),
    "dropFieldIfAllNull": json_with('{"n": "m{n}m", "x": null}', schema=None, dropFieldIfAllNull=True),
    "encoding UTF-16LE": Case(
        {"encoding": "UTF-16LE", "lineSep": "\n"}, {"a.json": lines(0, 4, J)}, encoding="utf-16le"
    ),
    "encoding UTF-32 over lines": Case(
        {"encoding": "UTF-32", "multiLine": True},
        {"a.json": "[" + ",\n".join(J.replace("{n}", str(n)) for n in range(4)) + "]"},
        encoding="utf-32",
    ),
    "lineSep": Case({"lineSep": "|"}, {"a.json": lines(0, 4, J, end="|")}, end="|"),
    "several records a line": Case(
        {}, {"a.json": "[" + J.replace("{n}", "0") + "," + J.replace("{n}", "1") + "]\n" + J.replace("{n}", "2")},
        end='"}',
    ),
    "multiLine": Case({"multiLine": True}, {"a.json": '{"n":\n"m0m"}', "b.json": '[{"n":"m1m"}, {"n":"m2m"}]'},
        end="}"),
    "mode PERMISSIVE, columnNameOfCorruptRecord": Case(
        {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "bad"},
        {"a.json": '{"n": "m0m"}\n{"n": m1m\n{"n": "m2m"}\n'},
        "coalesce(n, bad)",
        schema="n string, bad string",
    ),
    "mode DROPMALFORMED": Case(
        {"mode": "DROPMALFORMED"}, {"a.json": '{"n": "m0m"}\n{"n": m1m\n{"n": "m2m"}\n'}, lost=frozenset({"m1m"})
    ),
    "mode FAILFAST": json_with(J, mode="FAILFAST"),
    "singleVariantColumn": json_with(J, "cast(whole:n as string)", None, singleVariantColumn="whole"),
    **{f"packed as {s}": Case({}, {f"a.json{s}": lines(0, 5, J), f"b.json{s}": lines(10, 2, J)}) for s in _PACKED},
    **{name: make(JSONS) for name, make in PLACES.items()},
}  # fmt: skip

T = {"a.txt": lines(0, 4, "m{n}m"), "b.txt": lines(10, 3, "m{n}m")}


def as_text(case: Case) -> Case:
    return Case(
        case.options, case.files, "value", case.end, case.skipped, case.lost, None, case.encoding, case.paths
    )


TEXT: dict[str, Case] = {
    "wholetext": Case(
        {"wholetext": True}, {f"{n}.txt": f"m{n}m\nmore" for n in range(3)}, "left(value, 3)", "\x00", schema=None
    ),
    "lineSep": Case({"lineSep": "|"}, {"a.txt": lines(0, 4, "m{n}m", "|")}, "value", "|", schema=None),
    "line ends of Windows": Case({}, {"a.txt": lines(0, 4, "m{n}m", "\r\n")}, "value", schema=None),
    **{f"packed as {s}": Case({}, {f"a.txt{s}": lines(0, 5, "m{n}m")}, "value", schema=None) for s in _PACKED},
    **{name: as_text(make(T)) for name, make in PLACES.items()},  # type: ignore[arg-type]
}  # fmt: skip


def xml_of(row: str, **options: Any) -> Case:
    text = lines(0, 4, row)
    return Case(
        {"rowTag": "row", **options}, {"a.xml": f"<rows>\n{text}</rows>"}, skipped=("<rows>", "</rows>")
    )


X = "<row><n>m{n}m</n><v>{n}</v></row>"
XMLS: dict[str, str | bytes] = {
    "a.xml": f"<rows>\n{lines(0, 4, X)}</rows>",
    "b.xml": f"<rows>\n{lines(10, 3, X)}</rows>",
}


def as_xml(case: Case) -> Case:
    options = {"rowTag": "row", **case.options}
    skipped = ("<rows>", "</rows>")
    return Case(options, case.files, case.marker, "\n", skipped, case.lost, case.schema, paths=case.paths)


def with_schema(case: Case, schema: str | None, marker: str = "n") -> Case:
    return Case(case.options, case.files, marker, case.end, case.skipped, case.lost, schema, case.encoding)


BAD_XML: dict[str, str | bytes] = {
    "a.xml": "<rows>\n<row><n>m0m</n><v>0</v></row>\n<row><n>m1m</n><v>x</v></row>\n<row><n>m2m</n><v>2</v></row>\n"
    "</rows>"
}

XML: dict[str, Case] = {
    "rowTag": xml_of(X),
    "attributePrefix": with_schema(xml_of('<row n="m{n}m"/>', attributePrefix="at_"), "at_n string", "at_n"),
    "valueTag": with_schema(xml_of('<row k="1">m{n}m</row>', valueTag="text"), "_k string, text string", "text"),
    "excludeAttribute": xml_of('<row k="1"><n>m{n}m</n></row>', excludeAttribute=True),
    "ignoreSurroundingSpaces": xml_of("<row><n>  m{n}m </n></row>", ignoreSurroundingSpaces=True),
    "ignoreNamespace": xml_of('<row><a:n xmlns:a="u">m{n}m</a:n></row>', ignoreNamespace=True),
    "inferSchema and samplingRatio": with_schema(xml_of(X, inferSchema=True, samplingRatio=1.0), None),
    "nullValue": xml_of("<row><n>m{n}m</n><v>none</v></row>", nullValue="none"),
    "dateFormat": with_schema(
        xml_of("<row><n>m{n}m</n><v>05/02/2026</v></row>", dateFormat="dd/MM/yyyy"), "n string, v date"
    ),
    "timestampFormat": with_schema(
        xml_of("<row><n>m{n}m</n><v>05-02-2026 7</v></row>", timestampFormat="dd-MM-yyyy H"), "n string, v timestamp"
    ),
    "locale": with_schema(
        xml_of("<row><n>m{n}m</n><v>05 Mai 2026</v></row>", dateFormat="dd MMMM yyyy", locale="de-DE"),
        "n string, v date",
    ),
    "charset": xml_of(X, charset="UTF-8"),
    "encoding": xml_of(X, encoding="UTF-8"),
    "wildcardColName": xml_of(X, wildcardColName="any"),
    "mode PERMISSIVE, columnNameOfCorruptRecord": Case(
        {"rowTag": "row", "mode": "PERMISSIVE", "columnNameOfCorruptRecord": "bad"},
        BAD_XML,
        "coalesce(n, if(bad is null, '', 'm1m'))",
        skipped=("<rows>", "</rows>"),
        schema="n string, v int, bad string",
    ),
    "mode DROPMALFORMED": Case(
        {"rowTag": "row", "mode": "DROPMALFORMED"},
        BAD_XML,
        "concat(n, left(v, 0))",
        skipped=("<rows>", "</rows>"),
        lost=frozenset({"m1m"}),
        schema="n string, v int",
    ),
    "mode FAILFAST": xml_of(X, mode="FAILFAST"),
    "rows over several lines": Case(
        {"rowTag": "row", "multiLine": True},
        {"a.xml": "<rows>" + lines(0, 4, "<row>\n<n>m{n}m</n>\n</row>") + "</rows>"}, end="</row>",
        skipped=("</rows>",),
    ),
    "packed as .gz": Case(
        {"rowTag": "row"}, {"a.xml.gz": f"<rows>\n{lines(0, 4, X)}</rows>"}, skipped=("<rows>", "</rows>")
    ),
    **{name: as_xml(make(XMLS)) for name, make in PLACES.items() if name != "empty files"},
}  # fmt: skip

TABLES = {"csv": CSV, "json": JSON, "text": TEXT, "xml": XML}

# In columns: positions are told by Spark's own row numbers, or the rows' order in the file.
COLUMNAR: dict[str, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "parquet": {
        **{f"compression {c}": ({"compression": c}, {}) for c in ("none", "gzip", "snappy", "zstd", "lz4_raw")},
        "mergeSchema": ({}, {"mergeSchema": True}),
        "datetimeRebaseMode": ({}, {"datetimeRebaseMode": "CORRECTED"}),
        "int96RebaseMode": ({}, {"int96RebaseMode": "CORRECTED"}),
        "small row groups": ({"parquet.block.size": 200}, {}),
    },
    "orc": {
        **{f"compression {c}": ({"compression": c}, {}) for c in ("none", "zlib", "snappy", "zstd", "lz4")},
        "mergeSchema": ({}, {"mergeSchema": True}),
    },
}  # fmt: skip
for _options in COLUMNAR.values():
    for _name, _given in {
        "pathGlobFilter": {"pathGlobFilter": "part-*"},
        "recursiveFileLookup": {"recursiveFileLookup": True},
        "modifiedBefore": {"modifiedBefore": "2100-01-01T00:00:00"},
        "modifiedAfter": {"modifiedAfter": "2001-01-01T00:00:00"},
    }.items():
        _options[_name] = ({}, _given)

WITHOUT_FILES = {
    ("xml", "rowValidationXSDPath"): "takes a file that Spark distributes to all executors first",
}


def judge(trace: Trace, rows: Counter[str], cases: dict[str, Case], names: dict[str, str]) -> None:
    """Each record found is the one that stands at its place in its file, and all rows are told."""
    found: Counter[str] = Counter()
    wrong = []
    for record in trace.collect(100_000):
        file = Path(record.location.file or "")
        folder = next(part for part in file.parts if part in cases)
        records = cases[folder].records(file)
        place = record.location.position
        held = records[place] if place is not None and place < len(records) else ""
        markers = set(MARKER.findall(held))
        if len(markers) != 1 or not any(marker in str(record.value) for marker in markers):
            wrong.append((names[folder], record.location, record.value, held))
        found.update(f"{names[folder]} {marker}" for marker in markers)
    assert not wrong
    assert found == rows


# Those that decide where a record begins and which there are.
CORE = re.compile(
    "mode|encoding UTF|multi|lines|lineSep|comment|header|bz2|wholetext|rowTag|modifiedAfter|Corrupt"
)


@pytest.mark.compat
@pytest.mark.parametrize("format", thinned(TABLES, "records of text formats"))
def test_records_of_text_formats(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    core = {name: case for name, case in TABLES[format].items() if CORE.search(name)}
    judge_all(format, core, session, spark, tmp_path)


@pytest.mark.proof("each option that a reader of text formats has")
@pytest.mark.parametrize("format", TABLES)
def test_records_of_text_formats_by_every_option(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    judge_all(format, TABLES[format], session, spark, tmp_path)


def judge_all(
    format: str, table: dict[str, Case], session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    frames: list[DataFrame] = []
    cases: dict[str, Case] = {}
    names: dict[str, str] = {}
    for number, (name, case) in enumerate(table.items()):
        folder = tmp_path / f"case{number}"
        folder.mkdir()
        case.write(folder)
        if name == "modifiedAfter":
            os.utime(next(folder.glob("b.*")), (1, 1))
        cases[folder.name], names[folder.name] = case, name
        frame = case.read(spark, folder, format)
        frames.append(frame.selectExpr(f"'{folder.name}' as name", f"{case.marker} as marker"))
    whole = reduce(DataFrame.unionAll, frames)
    rows = Counter(
        f"{names[row.name]} {found}" for row in whole.collect() for found in MARKER.findall(row.marker or "")
    )
    assert {key.rsplit(" ", 1)[0] for key in rows} == set(names.values()), "a case without rows shows nothing"
    judge(session.trace(whole), rows, cases, names)


@pytest.mark.parametrize("format", thinned(COLUMNAR, "records of columnar formats", 2))
def test_records_of_columnar_formats(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    core = ("compression zstd", "mergeSchema", "small row groups")
    table = {name: options for name, options in COLUMNAR[format].items() if name in core}
    judge_columnar(format, table, session, spark, tmp_path)


@pytest.mark.proof("each option that a reader of columnar formats has")
@pytest.mark.parametrize("format", COLUMNAR)
def test_records_of_columnar_formats_by_every_option(
    format: str, session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    judge_columnar(format, COLUMNAR[format], session, spark, tmp_path)


def judge_columnar(
    format: str, table: dict[str, Any], session: bigdebug.Session, spark: SparkSession, tmp_path: Path
) -> None:
    frames: list[DataFrame] = []
    there: dict[str, list[int]] = {}
    numbers = spark.range(60, numPartitions=2).withColumn("m", F.col("id") * 2)
    for number, (_, (writing, reading)) in enumerate(table.items()):
        folder = str(tmp_path / f"case{number}")
        numbers.write.options(**writing).format(format).save(folder)
        frames.append(
            spark.read.options(**reading).format(format).load(folder).selectExpr("id", f"{number} as at")
        )
        for file in Path(folder).glob("part-*"):
            there[str(file)] = [row.id for row in spark.read.format(format).load(str(file)).collect()]
    whole = reduce(DataFrame.unionAll, frames)
    assert whole.count() == 60 * len(frames)
    records = session.trace(whole, "id % 7 = 3").collect(100_000)
    assert len(records) == 9 * len(frames)
    for record in records:
        assert there[record.location.file or ""][record.location.position or 0] == record.value["id"]


def test_every_documented_option_has_its_case() -> None:
    for format in FORMATS:
        documented = set(inspect.signature(getattr(DataFrameReader, format)).parameters)
        documented -= {"self", "path", "paths", "schema", "options"}
        tried: set[str] = set()
        for case in TABLES.get(format, {}).values():
            tried |= case.options.keys()
        for writing, reading in COLUMNAR.get(format, {}).values():
            tried |= writing.keys() | reading.keys()
        lacking = {name for name in documented - tried if (format, name) not in WITHOUT_FILES}
        assert not lacking, f"{format} has options that no test reads files with: {sorted(lacking)}"
