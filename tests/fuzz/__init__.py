"""Fuzzing with atheris: a target a file, each with one `TestOneInput`; `python -m tests.fuzz` runs them."""
