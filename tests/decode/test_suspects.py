"""Those of a batch that could match: the same, whether they are found by their places or by groups."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decode import Literal, Prefilter
from stream.decode.split import Batch
from stream.decode.suspects import suspects

PREFILTER = Prefilter([Literal("StopLogging", member="eventName"), Literal("AWSLogs", whole=False)])
ELEMENTS = st.sampled_from(
    [
        *('{"eventName":"StopLogging"}', '{"eventName": "stoplogging"}', '{"eventName":["Stop\\u004cogging"]}'),
        *('{"eventName":"ListTrails"}', '{"n":"AWSLogs"}', '"eventName"', '"AWSLogs"', "1", "[]", "{}", '"\\u0041"'),
        *('{"n":[{"eventName":"ListTrails"},"StopLogging"]}', '{"eventName":"StopLoggingX"}', '{"eventName":1}'),
    ]
)


def batch(elements: Sequence[str], between: str) -> Batch:
    text = f"[{between.join(elements)}]".encode()
    return Batch(text, msgspec.json.decode(text, type=list[msgspec.Raw]), checked=True)


@given(st.lists(ELEMENTS, min_size=1, max_size=60), st.sampled_from([",", ",", " , "]))
def test_every_element_that_could_match_is_found_once_and_in_order(elements: list[str], between: str) -> None:
    found = suspects(batch(elements, between), PREFILTER)
    wanted = [each.encode() for each in elements if PREFILTER.search(each.encode())]

    if found is None:
        assert len(wanted) > 8
    elif len(elements) > 1:
        assert [each for each in found if each is not None] == wanted


@pytest.mark.parametrize("between", [",", ", "])
@pytest.mark.parametrize("elements", [2, 17, 300])
@pytest.mark.parametrize("every", [1, 2, 3, 50])
def test_it_is_so_however_many_there_are(elements: int, every: int, between: str) -> None:
    texts = [
        f'{{"eventName":"{"ListTrails" if n % every else "StopLogging"}","n":{n},"x":"{"x" * 64}"}}'
        for n in range(elements)
    ]
    found = suspects(batch(texts, between), PREFILTER)

    assert (found is None) == (every == 1 and elements > 16)  # they are no tiny ones
    if found is not None:
        assert [each for each in found if each is not None] == [each.encode() for each in texts[::every]]
