"""What `bigdebug demo` runs: a script with a fault, and real flights that show it. See README.md."""
