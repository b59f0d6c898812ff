"""One account: what somebody wrote of it in, the same as plain single lines out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stream.json_value import shown

NAME_CHARACTERS: Final = 100
_OU_CHARACTERS: Final = 600
"""AWS nests organizational units five deep, each with a name of at most 128 characters:
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""
_ID: Final = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account.

    Attributes:
        id: 12 digits.
        name: one visible line of at most `NAME_CHARACTERS`.
        ou: path of its organizational unit, such as `Root/Workloads/Prod`, where that is known.
        tags: by key, plain single lines too.
    """

    id: str
    name: str
    ou: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, id_: str, name: str, ou: str | None = None, tags: Mapping[str, str] | None = None) -> "Account":
        """Make one of texts that may hold anything.

        Raises:
            ValueError: the id is none, or of the name nothing can be seen; says so in a clause.
        """
        if not _ID.fullmatch(id_):
            short = id_.isdecimal() and len(id_) < 12
            hint = "; is a leading zero lost?" if short else ""
            raise ValueError(f"{shown(id_, 40)!r} is no account id, which has 12 digits{hint}")
        plain = shown(name, NAME_CHARACTERS)
        if not plain:
            raise ValueError(f"the account {id_} has no name")
        path = shown(ou, _OU_CHARACTERS) if ou else ""
        return cls(id_, plain, path or None, {shown(key, 128): shown(tag, 256) for key, tag in (tags or {}).items()})
