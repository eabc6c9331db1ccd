"""Runs a script under recording; started as a script itself, by `bigdebug run` or by spark-submit.

Python has put this file's folder first on the path, where the user's script expects its own: it goes before
anything is imported. Then this very package is loaded, whatever else of that name the path may hold.
"""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]

    import importlib.util
    import os.path

    package = importlib.util.spec_from_file_location(
        "bigdebug", os.path.join(os.path.dirname(os.path.abspath(__file__)), "__init__.py")
    )
    assert package
    assert package.loader
    sys.modules["bigdebug"] = importlib.util.module_from_spec(package)
    package.loader.exec_module(sys.modules["bigdebug"])

    from bigdebug.running import main

    main()
