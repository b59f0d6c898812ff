"""Measurements, each a ratio against something known, in CPU-seconds of the process: `python -m tests.benchmarks`.

No part of the tests. A number without the command that printed it is not kept.
"""
