"""The subjects stand with the benchmarks, which aren't part of the package: they are imported from the checkout."""

import importlib.util
import sys
from pathlib import Path

if "benchmarks" not in sys.modules:
    folder = Path(__file__).parents[2] / "benchmarks"
    found = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert found is not None
    assert found.loader is not None
    sys.modules["benchmarks"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(sys.modules["benchmarks"])
