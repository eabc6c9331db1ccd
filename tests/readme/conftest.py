"""Lets the tests of this folder import what they share: pytest's importlib mode puts nothing on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
