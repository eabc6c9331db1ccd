"""The partition of a key as Spark's Python workers tell it.

They hash texts with the seed 0, where this process hashes them with a seed of its own: a text's hash is worked out
here as theirs. Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012, with one round for each
word and three at the end, and the key 0.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

_MASK = (1 << 64) - 1


class HashOfWorkers:
    """PySpark's `portable_hash`, as it comes out in Spark's workers.

    Args:
        seed: the workers' `PYTHONHASHSEED`.
    """

    def __init__(self, seed: str | None) -> None:
        self._own = seed not in (None, "0") or hash("bigdebug") == hash_of_text("bigdebug")

    def __call__(self, key: Any) -> int:
        if key is None:
            return 0
        if isinstance(key, tuple):
            found = 0x345678
            for part in key:
                found = ((found ^ self(part)) * 1000003) & sys.maxsize
            return found ^ len(key)
        if self._own or type(key) not in (str, bytes):
            return hash(key)
        return hash_of_text(key)


@lru_cache(maxsize=1 << 20)
def hash_of_text(text: str | bytes) -> int:
    """The hash of a text, or of bytes, with the seed 0."""
    data = text if isinstance(text, bytes) else _as_kept(text)
    if not data:
        return 0
    found = _siphash(data)
    signed = found - (1 << 64) if found >> 63 else found
    return -2 if signed == -1 else signed


def _as_kept(text: str) -> bytes:
    """A text as Python keeps it: with as many bytes for each character as the widest takes."""
    widest = max(text, default="\0")
    if widest <= "\xff":
        return text.encode("latin-1")
    return text.encode("utf-16-le" if widest <= "\uffff" else "utf-32-le", "surrogatepass")


def _siphash(data: bytes) -> int:
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    size = len(data)
    padded = data + bytes(7 - size % 8) + bytes([size & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotated(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotated(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotated(v1, 17) ^ v2
    return v0, v1, _rotated(v2, 32), v3


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK
