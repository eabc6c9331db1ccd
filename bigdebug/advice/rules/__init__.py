"""The rules, a subject a module: each takes an application and the thresholds, and gives what it finds."""
