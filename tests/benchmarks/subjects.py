"""Every subject that has rows in the table, by its name on the command line, in the table's order."""

from tests.benchmarks import latency, matching, memory, scanning, starting, throughput, turns
from tests.benchmarks.subject import Subject

SUBJECTS: dict[str, Subject] = {
    "throughput": throughput,
    "matching": matching,
    "memory": memory,
    "scanning": scanning,
    "latency": latency,
    "starting": starting,
    "turns": turns,
}
