"""Where in the user's code an operator or action stands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CallSite:
    """A place in the user's own code.

    Attributes:
        file: absolute path of the source file; in a notebook `cell N`.
        line: line number, from 1.
        text: the statement's source text, stripped; empty where the source can't be read.
        function: name of the enclosing function, or `<module>`.
    """

    file: str
    line: int
    text: str = ""
    function: str = "<module>"

    @property
    def label(self) -> str:
        """Short form for tables and messages: `etl.py:42`, or `cell 3:2` in a notebook."""
        return f"{self.file.replace(chr(92), '/').rsplit('/', 1)[-1]}:{self.line}"
