"""The modules of watchpoints that workers run; pass them to `lineage.rdd.travelling`."""

from types import ModuleType

from bigdebug.breakpoints.channel import travelling as channel
from bigdebug.breakpoints.watch import catching, pacing, slow, totals, wrapping

MODULES: tuple[ModuleType, ...] = (*channel.MODULES, catching, pacing, slow, totals, wrapping)
