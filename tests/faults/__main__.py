"""`python -m tests.faults`: for as long as you like; exit code 1 if anything was lost."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.faults.harness import torment


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long things fail (5)")
    parser.add_argument("--kills", type=int, default=50, help="replicas killed, in all (50)")
    parser.add_argument("--rate", type=float, default=5.0, help="alerts planted a second (5)")
    parser.add_argument("--replicas", type=int, default=2, help="at once (2)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn (1)")
    options = parser.parse_args()

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    with tempfile.TemporaryDirectory(prefix="trailstream-faults-") as folder:
        books = asyncio.run(
            torment(
                options.seed,
                seconds=options.minutes * 60,
                kills=options.kills,
                folder=Path(folder),
                rate=options.rate,
                replicas=options.replicas,
                say=say,
            )
        )
    sys.stdout.write(f"{books}\n")
    for event_id in sorted(books.lost)[:20]:
        sys.stdout.write(f"lost: {event_id}\n")
    return 0 if books.balanced else 1


if __name__ == "__main__":
    sys.exit(main())
