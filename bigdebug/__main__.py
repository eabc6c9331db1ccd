"""`python -m bigdebug` is the `bigdebug` command."""

import sys

from bigdebug.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
