"""Which words of a poem are the shortest? A word count.

The wrong words: there is no "d", no "s" and no "t" in English. The pattern takes letters only, and so it cuts
words in two. To see where, for the lines behind one of these counts:

    bigdebug run word_count.py
    bigdebug trace last 1 --where "key == 's'"
"""

import re
from operator import add
from pathlib import Path

from pyspark import SparkContext

context = SparkContext.getOrCreate()
lines = context.textFile(str(Path(__file__).with_name("data") / "walrus.txt"))
words = lines.flatMap(lambda line: re.findall("[a-z]+", line.lower()))
counts = words.map(lambda word: (word, 1)).reduceByKey(add)

for word, count in counts.takeOrdered(6, key=lambda pair: (len(pair[0]), pair[0])):
    print(f"{word:2} {count:3}")
