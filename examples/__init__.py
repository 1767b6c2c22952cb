"""Small real programs. Each is started with ``python3 -m examples.NAME`` from the project's folder; see README.md there."""
