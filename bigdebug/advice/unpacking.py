"""The lines of a log file, whatever it is compressed with, as far as they can be read."""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from bigdebug.lineage.errors import BigDebugError, UnreachableError

_CHUNK = 1 << 18
_PACKED = 1 << 13
"""So much is unpacked at a time where that can become a thousand times as large."""
_LONGEST_LINE = 1 << 29
_LZ4_BLOCK = struct.Struct("<8sBiiI")  # of lz4-java: magic, token, compressed and plain length, checksum
_LZ4_RAW = 0x10
_SNAPPY_HEAD = 16


class CutShort(Exception):  # noqa: N818  (no error of the user's: what was read until then counts)
    """The file ends in the middle of something, or is damaged from there on."""


def lines_of(path: Path) -> Iterator[bytes]:
    """A file's lines, without their ends, one at a time; the last one may be cut.

    Raises:
        CutShort: after the last line that could be unpacked.
        UnreachableError: it can't be read.
        BigDebugError: it is compressed in a way that isn't known.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            file.seek(0)
            unpack = _unpacker(start, path)
            yield from file if unpack is None else _lines(unpack(file))
    except OSError as error:
        raise UnreachableError(f"{path} can't be read: {error.strerror or error}") from error


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []
    try:
        for chunk in chunks:
            if b"\n" not in chunk:
                rest.append(chunk)
                if sum(map(len, rest)) > _LONGEST_LINE:
                    raise CutShort("a line has no end")
                continue
            rest.append(chunk)
            *whole, last = b"".join(rest).split(b"\n")
            yield from whole
            rest = [last]
    except CutShort:
        yield b"".join(rest)
        raise
    if any(rest):
        yield b"".join(rest)


def _unpacker(start: bytes, path: Path) -> Callable[[BinaryIO], Iterator[bytes]] | None:
    """What unpacks a file that begins so; None for plain text."""
    for magic, unpack in _UNPACKERS.items():
        if start.startswith(magic):
            return unpack
    if start.startswith(b"ZV"):
        raise BigDebugError(
            f"{path} is compressed with lzf, which isn't read",
            hint="Spark writes zstd with spark.eventLog.compression.codec=zstd, its default",
        )
    return None


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    """All frames; of the last one, which a killed Spark leaves open, what there is."""
    import zstandard

    with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False) as reader:
        try:
            while chunk := reader.read(_CHUNK):
                yield chunk
        except zstandard.ZstdError as error:
            raise CutShort(f"damaged: {error}") from error


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    frame = zlib.decompressobj(wbits=31)
    while packed := file.read(_PACKED):
        while packed:
            try:
                yield frame.decompress(packed)
            except zlib.error as error:
                raise CutShort(f"damaged: {error}") from error
            packed = frame.unused_data if frame.eof else b""
            if frame.eof and packed:
                frame = zlib.decompressobj(wbits=31)
    if not frame.eof:
        raise CutShort("the last block isn't whole")


def _lz4(file: BinaryIO) -> Iterator[bytes]:
    """The blocks of lz4-java, which no other program writes."""
    while head := file.read(_LZ4_BLOCK.size):
        if len(head) < _LZ4_BLOCK.size:
            raise CutShort("the last block isn't whole")
        magic, token, packed_size, size, _ = _LZ4_BLOCK.unpack(head)
        if magic != b"LZ4Block" or packed_size < 0 or size < 0:
            raise CutShort("a block is damaged")
        packed = _whole(file, packed_size)
        yield packed if token & 0xF0 == _LZ4_RAW else _decompressed("lz4_raw", packed, size)


def _snappy(file: BinaryIO) -> Iterator[bytes]:
    """The blocks of snappy-java, each with its length before it."""
    _whole(file, _SNAPPY_HEAD)
    while head := file.read(4):
        if head + b"SNAPPY"[: max(0, 4 - len(head))] == b"\x82SNA":
            _whole(file, _SNAPPY_HEAD - 4)  # appended to: the head stands again
            continue
        if len(head) < 4:
            raise CutShort("the last block isn't whole")
        packed = _whole(file, int.from_bytes(head, "big"))
        yield _decompressed("snappy", packed, _varint(packed))


def _varint(data: bytes) -> int:
    size = shift = 0
    for byte in data[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return size
    raise CutShort("a block is damaged")


def _decompressed(codec: str, packed: bytes, size: int) -> bytes:
    import pyarrow

    if size > _LONGEST_LINE:
        raise CutShort("a block is damaged")
    try:
        return bytes(pyarrow.Codec(codec).decompress(packed, decompressed_size=size, asbytes=True))
    except (OSError, ValueError) as error:
        raise CutShort(f"damaged: {error}") from error


def _whole(file: BinaryIO, size: int) -> bytes:
    data = file.read(min(size, _LONGEST_LINE))
    if len(data) < size:
        raise CutShort("the last block isn't whole")
    return data


_UNPACKERS: dict[bytes, Callable[[BinaryIO], Iterator[bytes]]] = {
    b"\x28\xb5\x2f\xfd": _zstd,
    b"\x1f\x8b": _gzip,
    b"LZ4Block": _lz4,
    b"\x82SNAPPY\0": _snappy,
}
