"""Event logs for the tests: those of whole applications lie in `data`, others are written by the shared session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

DATA = Path(__file__).parent / "data"
APPLICATIONS = sorted(path.name for path in DATA.glob("*.zstd"))


@pytest.fixture
def logged(spark: SparkSession, tmp_path: Path) -> Callable[..., object]:
    """Has Spark itself write down what the session does within: `with logged(**settings) as folder`."""

    @contextmanager
    def writing(**settings: str) -> Iterator[Path]:
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        context, jvm = spark.sparkContext._jsc.sc(), spark._jvm
        assert jvm is not None
        conf = context.conf().clone()
        conf.set("spark.eventLog.rolling.enabled", "false")
        for name, value in settings.items():
            conf.set(f"spark.eventLog.{name.replace('_', '.')}", value)
        uri = jvm.java.net.URI(folder.as_uri())
        none = jvm.scala.Option.empty()
        writer = jvm.org.apache.spark.scheduler.EventLoggingListener("local-17", none, uri, conf)
        writer.start()
        context.addSparkListener(writer)
        try:
            yield folder
            context.listenerBus().waitUntilEmpty()
        finally:
            context.removeSparkListener(writer)
            writer.stop()

    return writing
