"""The modules of the channel that workers run; pass them to `lineage.rdd.travelling.travelling`."""

from bigdebug.breakpoints.channel import link, values, wire

MODULES = (link, values, wire)
