"""What a run keeps of records that crashed an operator."""

from dataclasses import dataclass
from typing import Any

from bigdebug.lineage.callsite import CallSite


@dataclass(frozen=True)
class CrashEvent:
    """The culprits of one operator in one output, as they are stored: values as text that JSON can hold.

    Attributes:
        output: number of the output that failed, or went on without them.
        operator: as the user called it.
        call_site: where it stands in the user's code.
        policy: what became of them: `raise`, `skip` or `repair`.
        error: class and text of the exception.
        count: how many records crashed it.
        records: those that are listed; each with `value`, `source`, `file`, `position`, `partition`, `error`,
            `traceback`, `before` and `after`.
        notes: what a person must know about it.
        quarantine: folder of the quarantined records within the run's, or None.
    """

    output: int
    operator: str
    call_site: CallSite | None
    policy: str
    error: str
    count: int
    records: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    quarantine: str | None = None
