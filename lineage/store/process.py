"""Tells whether the process that writes a run is still alive."""

import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ProcessIdentity:
    """Names a process for good: a number alone is given to another process later.

    Attributes:
        pid: process id.
        started: when the operating system says that it started, in whatever unit it has.
        machine: host name, boot and process namespace: where the pid means something.
    """

    pid: int
    started: str | None
    machine: str

    @classmethod
    def current(cls) -> "ProcessIdentity":
        pid = os.getpid()
        return cls(pid, _started(pid), _machine())

    @classmethod
    def read(cls, content: dict[str, Any]) -> "ProcessIdentity | None":
        """From its JSON form; None where that is damaged."""
        try:
            return cls(int(content["pid"]), content["started"], str(content["machine"]))
        except (KeyError, TypeError, ValueError):
            return None

    def written(self) -> dict[str, Any]:
        """Its JSON form."""
        return asdict(self)

    def alive(self) -> bool | None:
        """Whether it still runs; None where that can't be told from here."""
        if self.started is None or self.machine != _machine():
            return None
        return _started(self.pid) == self.started


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot = namespace = ""
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _started(pid: int) -> str | None:
    """When a process started; None where there is none of that number (or only its remains)."""
    if sys.platform == "linux":
        try:
            # The name in parentheses may itself hold spaces and parentheses.
            state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if state in "ZX" else rest[18]
    if sys.platform == "win32":
        return None
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None
