"""Packages, classes and Scala objects of the JVM, each looked up once.

py4j asks the JVM for every dot of `jvm.org.apache.spark…`: a third of all the calls that a question made.
"""

from __future__ import annotations

from typing import Any

from py4j.java_gateway import JavaPackage


class Names:
    """A package, or the JVM, whose members are looked up the first time they are named.

    Args:
        package: what py4j gives for it.
    """

    def __init__(self, package: Any) -> None:
        self._package = package
        self._singletons: dict[str, Any] = {}
        self._classes: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._package, name)
        if isinstance(found, JavaPackage):
            found = Names(found)
        setattr(self, name, found)
        return found

    def singleton(self, name: str) -> Any:
        """A Scala `object` of the package."""
        found = self._singletons.get(name)
        if found is None:
            found = self._singletons[name] = getattr(getattr(self._package, name + "$"), "MODULE$")
        return found

    def class_named(self, name: str) -> Any:
        """A `java.lang.Class` by its full name, as Spark's class loader finds it."""
        found = self._classes.get(name)
        if found is None:
            found = self.org.apache.spark.util.Utils.classForName(name, True, False)
            self._classes[name] = found
        return found


_latest: list[Names] = []


def names_of(jvm: Any) -> Names:
    """The names of a JVM; those of the latest are kept: a process has one at a time."""
    if not _latest or _latest[0]._package is not jvm:
        _latest[:] = [Names(jvm)]
    return _latest[0]
