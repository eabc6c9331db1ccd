"""Commands as a person types them: what another one must say to reach the same store, and quoting."""

import os
import shlex

DEFAULT_STORE = ".bigdebug"


def store_hint(store: str) -> str:
    """What a suggested command must add to reach the same store: ` --store S`, or nothing."""
    return (
        "" if store == os.environ.get("BIGDEBUG_STORE", DEFAULT_STORE) else f" --store {shlex.quote(store)}"
    )


def for_a_shell(text: str) -> str:
    """In double quotes, where nothing in it means something to a shell there: SQL is full of single ones."""
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
