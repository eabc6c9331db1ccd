"""When recipes are built: after short actions, beside long ones, and in any case before the end."""

import threading
import time
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import bigdebug


def test_a_long_action_has_its_recipe_before_it_is_over(spark: SparkSession, tmp_path: Path) -> None:
    gate = tmp_path / "open"

    @F.udf("long")
    def waits(value: int) -> int:
        deadline = time.monotonic() + 60
        while not gate.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return value

    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        frame = spark.range(2).select(waits("id"))
        action = threading.Thread(target=frame.collect)
        action.start()
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                if session.outputs and session.outputs[0].recipe != "pending":
                    break
                time.sleep(0.02)
            assert session.outputs[0].recipe == "stored"
            assert session.outputs[0].status == "running"
        finally:
            gate.touch()
            action.join()
        assert session.outputs[0].status == "done"


def test_the_end_waits_for_all_recipes(spark: SparkSession, tmp_path: Path) -> None:
    with bigdebug.attach(spark, store=str(tmp_path / "store")) as session:
        for number in range(5):
            spark.range(number).collect()
        outputs = session.outputs
        session.detach()
    assert len(outputs) == 5
    assert len(list((tmp_path / "store" / session.run_id / "recipes").iterdir())) == 5
