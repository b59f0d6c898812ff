"""JSON values as an attacker would make them: any shape, any depth, lone surrogates, numbers without bounds."""

from typing import Any

from hypothesis import strategies as st

WORDS = (
    "AccessDenied",
    "AssumedRole",
    "AwsServiceEvent",
    "Management",
    "ReadOnly",
    "Root",
    "arn:aws:cloudtrail:us-east-1:111122223333:trail/main",
    "aws-control-tower",
    "eventCategory",
    "false",
    "kms.amazonaws.com",
    "true",
    "us-east-1",
    "",
)


def nested(kind: str, depth: int) -> Any:
    """An array in an array in an array, or an object in an object."""
    value: Any = "end"
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


def texts() -> st.SearchStrategy[str]:
    return st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=()), max_size=8)


def scalars() -> st.SearchStrategy[Any]:
    # Python won't print an integer of more than 4,300 digits, so hypothesis must not be made to show one in its source.
    huge = st.sampled_from([64, 4096, 20_000]).map(lambda bits: 2**bits)
    numbers = st.integers() | st.floats() | huge
    return st.none() | st.booleans() | numbers | texts()


def json_values() -> st.SearchStrategy[Any]:
    deep = st.builds(nested, st.sampled_from(["list", "object"]), st.sampled_from([50, 300, 1200]))
    shallow = st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=4),
        max_leaves=12,
    )
    return shallow | deep


def objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of which each member may be missing, as it should be, or anything."""
    return st.fixed_dictionaries({}, optional={name: one | json_values() for name, one in members.items()})
