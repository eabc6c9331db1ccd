"""What fails of a DataFrame, as the replays of its pipeline are asked about it."""

from collections.abc import Callable
from functools import partial

from pyspark.sql import DataFrame

import bigdebug
from bigdebug.isolation.replays import Replays
from bigdebug.lineage.live import live_question
from bigdebug.lineage.where import rows_where


def replays_of(session: bigdebug.Session, frame: DataFrame, condition: str) -> Callable[[], Replays]:
    """Makes replays that have tried nothing yet."""
    question = live_question(session._attachment.spark, session._recorder, frame)
    failing = rows_where(question.catalyst, question.root, condition).condition
    return partial(Replays, question.catalyst, question.root, question.sources, failing)
