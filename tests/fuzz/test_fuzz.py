"""Every fuzzing target holds for its corpus, and for a few changes to each input of it."""

import importlib
from random import Random

import pytest

from tests.fuzz.corpus import TARGETS, corpus

_CHANGES = {"channels": 1, "records": 1, "inflate": 4}


def changed(data: bytes, random: Random) -> bytes:
    """The same with a byte replaced, a piece left out, doubled, or moved."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    piece = data[start:end]
    at = random.randrange(len(data) + 1)
    return random.choice(
        [
            data[:start] + random.randbytes(1) + data[start + 1 :],
            data[:start] + data[end:],
            data[:at] + piece + data[at:],
            data[:start] + data[end:] + piece,
        ]
    )


@pytest.mark.parametrize("target", TARGETS)
def test_it_holds_for_its_corpus_and_changes_to_it(target: str) -> None:
    test, random, inputs = importlib.import_module(f"tests.fuzz.{target}").TestOneInput, Random(1), corpus(target)
    assert len(inputs) > 5
    for data in inputs:
        test(data)
        for _ in range(_CHANGES.get(target, 8)):
            test(changed(data, random))
