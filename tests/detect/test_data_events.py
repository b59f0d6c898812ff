from typing import Any

import pytest
from hypothesis import given

from stream.detect.data_events import Recorded, lost, recorded, writes_to
from tests.detect.strategies import json_values, objects

OBJECT, FUNCTION = "aws::s3::object", "aws::lambda::function"


def resources(type_: str, *values: str) -> dict[str, Any]:
    return {"type": type_, "values": list(values)}


def basic(*data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"eventSelectors": [{"dataResources": list(data), **fields}]}


def advanced(**fields: dict[str, list[str]]) -> dict[str, Any]:
    named = {"category": {"equals": ["Data"]}, "type": {"equals": ["AWS::S3::Object"]}} | fields
    names = {"category": "eventCategory", "type": "resources.type", "arn": "resources.ARN"}
    selectors = [{"field": names.get(name, name), **operators} for name, operators in named.items()]
    return {"advancedEventSelectors": [{"fieldSelectors": selectors}]}


SHOP, ALL = resources("AWS::S3::Object", "arn:aws:s3:::shop/"), resources("AWS::S3::Object", "arn:aws:s3")
SHOP_ADVANCED = advanced(arn={"startsWith": ["arn:aws:s3:::shop/"]})
NO_DATA = {"eventSelectors": [{"readWriteType": "All"}]}


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (basic(SHOP), basic(SHOP), 0),
        (basic(SHOP), basic(ALL), 0),
        (basic(SHOP), NO_DATA, 2),
        (basic(ALL), basic(SHOP), 2),
        (basic(SHOP), basic(SHOP, readWriteType="ReadOnly"), 1),
        (basic(SHOP, readWriteType="WriteOnly"), basic(SHOP), 0),
        (basic(SHOP), SHOP_ADVANCED, 0),
        (basic(ALL), advanced(), 0),
        (advanced(), basic(ALL), 0),
        (advanced(), basic(resources("AWS::S3::Object", "arn:aws:s3:::")), 0),
        (basic(SHOP), basic(resources("AWS::S3::Object", "arn:aws:s3:::shop/a")), 2),
        (advanced(), SHOP_ADVANCED, 2),
        (advanced(), advanced(readOnly={"equals": ["false"]}), 1),
        (advanced(), advanced(eventName={"notEquals": ["DeleteObject"]}), 2),
        (advanced(eventName={"equals": ["PutObject"]}), advanced(), 0),
        (advanced(eventName={"equals": ["PutObject"]}), advanced(eventName={"equals": ["PutObject"]}), 0),
        (advanced(eventName={"equals": ["PutObject"]}), advanced(eventName={"equals": ["GetObject"]}), 2),
        (basic(resources("AWS::Lambda::Function", "arn:aws:lambda")), advanced(), 2),
        (basic(SHOP), advanced(category={"equals": ["Management"]}), 2),
    ],
)
def test_what_is_recorded_no_more_is_lost(before: Any, after: Any, gone: int) -> None:
    one, other = recorded(before), recorded(after)
    assert one is not None
    assert other is not None
    assert len(lost(one, other)) == gone


@pytest.mark.parametrize(
    "parameters", [None, {}, {"omitted": True}, {"eventSelectors": "x"}, {"eventSelectors": [7]}, []]
)
def test_what_can_not_be_read_is_not_known(parameters: Any) -> None:
    assert recorded(parameters) is None


def test_more_than_aws_allows_is_not_known() -> None:
    assert recorded(basic(resources("x", *map(str, range(10_000))))) is None


def test_whether_writes_of_a_bucket_s_objects_are_recorded() -> None:
    def is_so(parameters: Any, bucket: str = "shop") -> bool:
        return writes_to(bucket, recorded(parameters) or ())

    assert is_so(basic(SHOP))
    assert is_so(basic(ALL))
    assert not is_so(basic(SHOP), "shop2")
    assert not is_so(basic(SHOP, readWriteType="ReadOnly"))
    assert not is_so(basic(resources("AWS::S3::Object", "arn:aws:s3:::shop/part/")))
    assert not is_so(advanced(eventName={"equals": ["PutObject"]}))


def test_one_covers_another_if_it_has_all_of_its_events() -> None:
    wide = Recorded("read", OBJECT, "")
    assert wide.covers(Recorded("read", OBJECT, "arn", "more"))
    assert not Recorded("read", OBJECT, "arn", "more").covers(wide)
    assert not wide.covers(Recorded("write", OBJECT, ""))
    assert not wide.covers(Recorded("read", FUNCTION, ""))


@given(objects(eventSelectors=json_values(), advancedEventSelectors=json_values()))
def test_no_selectors_are_too_odd(parameters: dict[str, Any]) -> None:
    found = recorded(parameters)
    assert found is None or lost(found, found) == []
