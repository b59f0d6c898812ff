"""`python -m tests.benchmarks [--write] [SUBJECT …]`: run all of them, or some, and print the table."""

import argparse
import asyncio
import time

from tests.benchmarks import fleet, table
from tests.benchmarks.subject import Target, say
from tests.benchmarks.subjects import SUBJECTS
from tests.benchmarks.throughput import service_times


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.write and arguments.subjects:
        parser.error("--write needs the whole table: name no subject")
    if unknown := set(arguments.subjects) - {*SUBJECTS, "fleet"}:
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    if "fleet" in arguments.subjects:
        print(fleet.render(_service(arguments.service_ms)))
        arguments.subjects.remove("fleet")
        if not arguments.subjects:
            return
    rows: list[tuple[Target, str]] = []
    for name in arguments.subjects or SUBJECTS:
        say(name)
        began = time.monotonic()
        rows += zip(SUBJECTS[name].TARGETS, asyncio.run(SUBJECTS[name].measure()), strict=True)
        say(f"  took {time.monotonic() - began:.0f} s")
    print(table.machine(), end="\n\n")
    print(table.render(rows))
    if arguments.write:
        table.write(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join([*SUBJECTS, "fleet"]))
    parser.add_argument("--write", action="store_true", help="put the table into README.md; needs all subjects")
    parser.add_argument("--service-ms", type=float, help="fleet: CPU of a log file, instead of measuring it")
    return parser


def _service(service_ms: float | None) -> fleet.Service:
    if service_ms is not None:
        return fleet.Service(each=service_ms / 1e3, a_byte=0.0)
    return fleet.Service.measured(*asyncio.run(service_times()))


if __name__ == "__main__":
    main()
