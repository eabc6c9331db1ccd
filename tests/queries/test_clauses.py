"""Each clause of queries that Spark's SQL parser knows is used by a query of the collection, or there is a reason.

A new version of Spark that brings a clause fails here, until it is asked what its rows come from. The names are
those of the parser's own classes, a class for each rule of the grammar and each alternative that has a name.
"""

import re
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.queries.collection import SQL

_REASONS: dict[str, str] = {
    "writes a value": (
        "BigDecimalLiteral BigIntLiteral BooleanLiteral BooleanValue DoubleLiteral ExponentLiteral FloatLiteral "
        "LegacyDecimalLiteral LiteralType NullLiteral SingleDoubleQuotedStringLiteralValue SmallIntLiteral "
        "TinyIntLiteral TypeConstructor ErrorCapturingUnitToUnitInterval UnitInUnitToUnit UnitToUnitInterval"
    ),
    "makes a value of a row's others, as functions do": (
        "Any_value ArithmeticUnary CastByColon CurrentLike DatetimeUnit Extract First Last NamedArgumentExpression "
        "Overlay ParenthesizedExpression Position SemiStructuredExtract SemiStructuredExtractionPath "
        "JsonPathBracketedIdentifier JsonPathFirstPart JsonPathIdentifier JsonPathParts ShiftExpression "
        "ShiftOperator SimpleCase Substring Timestampadd Timestampdiff Trim"
    ),
    "writes a name or a type": (
        "AnsiNonReserved CommentSpec ComplexColType ComplexColTypeList ComplexDataType ErrorIdent "
        "IdentifierLiteral QuotedIdentifier QuotedIdentifierAlternative SimpleQuotedIdentifierAlternative "
        "StrictNonReserved WithLocalTimeZone WithoutTimeZone"
    ),
    "a parameter, whose value stands in its place before anything is recorded": (
        "NamedParameterLiteral NamedParameterMarker NamedParameterMarkerRule ParameterIntegerValue "
        "PosParameterLiteral PositionalParameterMarkerRule"
    ),
    "an argument of a table function in Python: tests/lineage/test_mapped.py": (
        "FunctionTableNamedArgumentExpression FunctionTableReferenceArgument FunctionTableSubqueryArgument "
        "TableArgumentPartitioning"
    ),
    "reads a version of a table of formats that Spark doesn't bring": (
        "ChangelogTableName ChangesClause TemporalClause Version"
    ),
    "is of streaming queries alone": (
        "IdentifiedByClause StreamChangesClause StreamRelation StreamTableName StreamTableValuedFunction "
        "WatermarkClause"
    ),
    "is of Hive's tables alone, or Spark refuses it": "PropertyKeyOrStringLitNoCoalesce RowFormatSerde SampleByBytes",
    "writes one more alternative of a clause that is used": ("PropertyWithKeyNoEquals PropertyKey"),
}
NO_QUERY = {name: reason for reason, names in _REASONS.items() for name in names.split()}

_PARSER = "org.apache.spark.sql.catalyst.parser.SqlBaseParser"
_CHILD = re.compile(re.escape(_PARSER) + r"\$(\w+)Context " + re.escape(_PARSER) + r"\$\w+Context\.\w+\(")


@pytest.fixture(scope="module")
def known(spark: SparkSession) -> set[str]:
    """The rules that a query can be made of, as far as they say anything of their own."""
    jvm: Any = spark._jvm
    classes = {name_of(each): each for each in jvm.java.lang.Class.forName(_PARSER).getDeclaredClasses()}
    alternatives: dict[str, set[str]] = {}
    for name, each in classes.items():
        alternatives.setdefault(name_of(each.getSuperclass()), set()).add(name)
    reached: set[str] = set()
    waiting = ["Query"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += alternatives.get(name, ())
            waiting += _CHILD.findall(
                "\n".join(str(m.toString()) for m in classes[name].getDeclaredMethods())
            )
    return reached - alternatives.keys()


def name_of(context: Any) -> str:
    return str(context.getSimpleName()).removesuffix("Context")


@pytest.fixture(scope="module")
def used(spark: SparkSession) -> set[str]:
    """The rules that the collection's queries are made of; those of newer versions as far as this one reads them."""
    return {name for query in SQL.values() if query.text for name in rules_of(spark, query.text)}


def rules_of(spark: SparkSession, text: str) -> set[str]:
    jvm: Any = spark._jvm
    parsers, antlr = jvm.org.apache.spark.sql.catalyst.parser, jvm.org.antlr.v4.runtime
    characters = parsers.UpperCaseCharStream(antlr.CharStreams.fromString(text))
    parser = parsers.SqlBaseParser(antlr.CommonTokenStream(parsers.SqlBaseLexer(characters)))
    parser.removeErrorListeners()
    tree = parser.singleStatement()
    if parser.getNumberOfSyntaxErrors():
        return set()
    return {name_of(node.getClass()) for node in antlr.tree.Trees.getDescendants(tree)}


def test_every_clause_is_used_or_there_is_a_reason(known: set[str], used: set[str]) -> None:
    lacking = known - used - NO_QUERY.keys()
    assert not lacking, f"no query uses {', '.join(sorted(lacking))}"


def test_no_reason_is_given_for_a_clause_that_is_used(used: set[str]) -> None:
    vain = used & NO_QUERY.keys()
    assert not vain, f"queries use {', '.join(sorted(vain))}"
