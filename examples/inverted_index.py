"""Which words are in most of the support tickets? An inverted index: each word with its tickets.

The wrong word: nobody writes "nbsp". The program asks bigdebug itself for the tickets that put it there:

    python inverted_index.py
"""

import json
import re
from pathlib import Path

from pyspark import SparkContext

import bigdebug

COMMON = {"a", "at", "for", "in", "is", "of", "on", "the", "to", "was"}


def words_of(line):
    """The words of a ticket, each once, with the ticket's number."""
    ticket = json.loads(line)
    words = set(re.findall("[a-z]+", ticket["text"].lower()))
    return [(word, ticket["id"]) for word in words - COMMON]


context = SparkContext.getOrCreate()
with bigdebug.attach(context) as session:
    tickets = context.textFile(str(Path(__file__).with_name("data") / "tickets.jsonl"))
    index = tickets.flatMap(words_of).groupByKey().mapValues(sorted)
    for word, found in index.takeOrdered(5, key=lambda pair: (-len(pair[1]), pair[0])):
        print(f"{word:8} {' '.join(found)}")

    trace = session.trace(index, where=lambda pair: pair[0] == "nbsp")
    print("\nnbsp comes from")
    for record in trace.collect():
        ticket = json.loads(record.value)
        print(f"line {record.location.position + 1:2}  {ticket['id']}  {ticket['text']}")
