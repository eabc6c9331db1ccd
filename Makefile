# For a person at work, in the environment they are in: pip install -e '.[java,dev]' first.
.PHONY: check docs format proof

check:
	ruff check
	ruff format --check
	mypy
	lint-imports
	pytest

# The site, into site/; a link that leads nowhere fails it.
docs:
	mkdocs build --strict

format:
	ruff check --fix
	ruff format

# The long proofs and the measurements: may be stopped, and goes on where it was.
proof:
	pytest -m proof
	python -m benchmarks
