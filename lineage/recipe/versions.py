"""Which versions a recipe can be opened with: the minor ones of Spark and Python that it was made with."""

from __future__ import annotations

import platform

from bigdebug.lineage.errors import RecipeError


def require_versions(here: str, spark: str, python: str | None) -> None:
    """Make sure that a recipe means here what it meant when it was made.

    Args:
        here: the version of Spark that is to open it.
        spark: that of the run.
        python: that of the run's Python; None where the recipe holds no functions.

    Raises:
        RecipeError: one is of another minor version.
    """
    if _minor(here) != _minor(spark):
        raise RecipeError(
            f"the run was recorded with Spark {spark}, this is Spark {here}",
            hint=f"pip install 'pyspark[sql]~={_minor(spark)}.0' and ask again",
        )
    if python is not None and _minor(python) != _minor(platform.python_version()):
        raise RecipeError(
            f"the run's Python functions were pickled by Python {python}, "
            f"this is Python {platform.python_version()}",
            hint=f"ask with Python {_minor(python)}",
        )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
