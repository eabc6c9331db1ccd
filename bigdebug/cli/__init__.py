"""The `bigdebug` command: one module a subcommand."""
