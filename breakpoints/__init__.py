"""Room for breakpoints, watchpoints and crash guards, which stand on `bigdebug.lineage`."""
