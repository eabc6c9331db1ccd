"""Find strings in a Java serialization stream by the class and field that hold them, without a JVM.

Follows the grammar of the Java Object Serialization Specification, section 6.4. Walks with a stack of its
own, since objects nest as deep as the user's expressions.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

_NULL, _REFERENCE, _CLASS_DESC, _OBJECT, _STRING, _ARRAY, _CLASS = range(0x70, 0x77)
_BLOCK, _END_BLOCK, _RESET, _LONG_BLOCK, _EXCEPTION, _LONG_STRING, _PROXY, _ENUM = range(0x77, 0x7F)
_FIRST_HANDLE = 0x7E0000
_HEADER = b"\xac\xed\x00\x05"
_SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
_WRITE_METHOD, _SERIALIZABLE, _EXTERNALIZABLE, _BLOCK_DATA = 1, 2, 4, 8

_Walk = Generator[Any, Any, Any]


class StreamError(ValueError):
    """The bytes aren't a Java serialization stream that can be understood."""


@dataclass(eq=False)
class Text:
    """A string: where its bytes stand in the stream."""

    start: int
    end: int


@dataclass(eq=False)
class Instance:
    """An object: the class it is of, and its fields that hold strings or other objects."""

    class_name: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class _ClassDesc:
    name: str
    flags: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    parent: _ClassDesc | None = None


def read_instances(data: bytes) -> list[Instance]:
    """All objects of a stream, in its order.

    Raises:
        StreamError: it can't be understood.
    """
    reader = _Reader(data)
    try:
        reader.run()
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise StreamError(f"{type(error).__name__} at byte {reader.at}") from None
    return reader.instances


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.handles: list[Any] = []
        self.instances: list[Instance] = []

    def run(self) -> None:
        if not self.data.startswith(_HEADER):
            raise StreamError("not a Java serialization stream")
        self.at = len(_HEADER)
        while self.at < len(self.data):
            self._drive(self._content())

    def _drive(self, walk: _Walk) -> Any:
        """Run a walk whose parts are walks themselves, on a stack that isn't Python's."""
        stack, value = [walk], None
        while stack:
            try:
                stack.append(stack[-1].send(value))
                value = None
            except StopIteration as end:
                stack.pop()
                value = end.value
        return value

    # -- parts of the grammar, each a walk that yields the parts it is made of ------------------------

    def _content(self) -> _Walk:
        """One element; gives the `Text`, `Instance` or class description that it is."""
        kind = self._byte()
        if kind == _NULL:
            return None
        if kind == _REFERENCE:
            return self.handles[self._number(">I") - _FIRST_HANDLE]
        if kind == _STRING:
            return self._text(self._number(">H"))
        if kind == _LONG_STRING:
            return self._text(self._number(">Q"))
        if kind == _OBJECT:
            return (yield self._object())
        if kind == _ARRAY:
            return (yield self._array())
        if kind in (_CLASS_DESC, _PROXY):
            self.at -= 1
            return (yield self._class_desc())
        if kind == _CLASS:
            yield self._class_desc()
            return self._remember(None)
        if kind == _ENUM:
            yield self._class_desc()
            self._remember(None)
            yield self._content()
            return None
        if kind in (_BLOCK, _LONG_BLOCK):
            length = self._byte() if kind == _BLOCK else self._number(">I")
            self.at += length
            return None
        if kind == _RESET:
            self.handles.clear()
            return None
        raise StreamError(f"unknown element {kind:#x} at byte {self.at - 1}")

    def _object(self) -> _Walk:
        desc = yield self._class_desc()
        instance = self._remember(Instance(desc.name))
        self.instances.append(instance)
        classes = []
        while desc is not None:
            classes.append(desc)
            desc = desc.parent
        for each in reversed(classes):
            if each.flags & _SERIALIZABLE:
                for code, name in each.fields:
                    if code in _SIZES:
                        self.at += _SIZES[code]
                    else:
                        instance.fields[name] = yield self._content()
                if each.flags & _WRITE_METHOD:
                    yield self._annotation()
            elif each.flags & _EXTERNALIZABLE and each.flags & _BLOCK_DATA:
                yield self._annotation()
            elif each.flags & _EXTERNALIZABLE:
                raise StreamError(f"{each.name} writes itself in a way of its own")
        return instance

    def _array(self) -> _Walk:
        desc = yield self._class_desc()
        self._remember(None)
        count, code = self._number(">I"), desc.name[1]
        if code in _SIZES:
            self.at += count * _SIZES[code]
        else:
            for _ in range(count):
                yield self._content()
        return None

    def _annotation(self) -> _Walk:
        while self.data[self.at] != _END_BLOCK:
            yield self._content()
        self.at += 1

    def _class_desc(self) -> _Walk:
        kind = self._byte()
        if kind == _NULL:
            return None
        if kind == _REFERENCE:
            return self.handles[self._number(">I") - _FIRST_HANDLE]
        desc = _ClassDesc("")
        if kind == _PROXY:
            self._remember(desc)
            for _ in range(self._number(">I")):
                self._name()
            desc.flags = _SERIALIZABLE
        elif kind == _CLASS_DESC:
            desc.name = self._name()
            self.at += 8  # serialVersionUID
            self._remember(desc)
            desc.flags = self._byte()
            for _ in range(self._number(">H")):
                code = chr(self._byte())
                desc.fields.append((code, self._name()))
                if code not in _SIZES:
                    yield self._content()
        else:
            raise StreamError(f"no class at byte {self.at - 1}")
        yield self._annotation()
        desc.parent = yield self._class_desc()
        return desc

    # -- bytes ----------------------------------------------------------------------------------------

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _number(self, layout: str) -> int:
        (number,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return int(number)

    def _name(self) -> str:
        length = self._number(">H")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8", "replace")

    def _text(self, length: int) -> Text:
        self.at += length
        if self.at > len(self.data):
            raise StreamError("cut short")
        text: Text = self._remember(Text(self.at - length, self.at))
        return text

    def _remember(self, value: Any) -> Any:
        self.handles.append(value)
        return value
