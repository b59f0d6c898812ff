"""The texts that a rule set can't match without: what detection asks of the prefilter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Literal:
    """A text of ASCII letters, digits or punctuation that must be in a record's JSON, in either case.

    Attributes:
        text: at least one character; compared without regard to ASCII case.
        whole: the text is a whole JSON string value (so that its quotes may be searched for as well), not a part.
        member: the text is the value of a member of this name, or begins it if it is no whole one, or is in an array or
            object that is; empty: it may stand anywhere.
    """

    text: str
    whole: bool = True
    member: str = ""
