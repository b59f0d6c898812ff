"""An ARN taken apart: text in, its parts out, or nothing if it is none.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

import re
from dataclasses import dataclass
from typing import Final

_MAX_CHARACTERS: Final = 2048
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12}|aws|):"
    r"(?P<resource>[!-~]+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an ARN; `region` and `account` are empty where it has none."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """The parts of what is an ARN by its form; `None` for anything else."""
    found = _ARN.fullmatch(text) if len(text) <= _MAX_CHARACTERS else None
    return Arn(**found.groupdict()) if found else None
