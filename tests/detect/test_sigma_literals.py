"""What the prefilter is told of a rule: texts that a record that matches has in its JSON, in whatever spelling."""

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decode import Prefilter
from stream.decode.engine import portable
from stream.decode.literals import Literal
from stream.decode.scan import patterns
from stream.detect.sigma import Compiled, compile_rule
from tests.detect.strategies import json_values
from tests.detect.test_sigma import HEAD, compiled


def literals(one: Compiled) -> set[str] | None:
    return None if one.literals is None else {literal.text for literal in one.literals}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"eventSource": "cloudtrail.amazonaws.com", "eventName": ["A1", "B1"]}, {"A1", "B1"}),
        ({"userAgent|contains": "TruffleHog", "eventName": "Get"}, {"Get"}),
        ({"eventSource": "cloudtrail.amazonaws.com", "userAgent|contains": "x"}, {"x"}),
        ({"a|contains|all": ["ab", "abcdef"]}, {"abcdef"}),
        ({"a": "x", "b": None}, {"x"}),
        ({"a": ["x", "*"]}, None),
        ({"a": ["x", 22]}, None),
        ({"a": None}, None),
        ({"a|exists": True}, None),
        ({"a": True}, {"true"}),
        ([{"a": "x"}, {"b": "y"}], {"x", "y"}),
        ([{"a": "x"}, {"b": None}], None),
        ({"a|cased": "Stop"}, {"Stop"}),
        ({"a|neq": "Stop"}, None),
        ({"a|windash|contains": "-stop"}, {"-stop", "stop"}),
        ({"a|base64offset|contains": "foo bar"}, {"Zm9vIGJhc", "ZvbyBiYX", "mb28gYmFy"}),
        ({"a|cidr": "10.0.0.0/8"}, None),
        ({"a|gt": 5}, None),
        ({"a|hour": 5}, None),
        ({"a|fieldref": "b"}, None),
        (["evil.example", "other"], {"evil.example", "other"}),
        (["evil.example", 4625], None),
        ({"|all": ["evil.example", "curl"]}, {"evil.example"}),
        ({"|re": "evil.+example"}, {"example"}),
    ],
)
def test_the_rarest_part_of_a_rule_is_looked_for(selection: Any, expected: set[str] | None) -> None:
    assert literals(compiled(selection)) == expected


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"eventName": ["StopLogging", "Start*"]}, {("StopLogging", True), ("Start", False)}),
        ({"eventName|startswith": "Stop", "userAgent": "x"}, {("Stop", False)}),
        ({"eventName": "Put*Policy"}, {("Put", False)}),
        ({"eventName|contains": "Policy"}, None),
        ({"eventName|startswith": "/Policy"}, None),
        ({"eventName": ["StopLogging", "*x"]}, None),
        ({"eventName": "true"}, {("true", False)}),
        ({"eventName|re": "^Stop"}, None),
        ({"a": "x", "eventName|cased": "Stop"}, {("Stop", True)}),
        ({"a": "x"}, None),
        ([{"eventName": "A1"}, {"eventName": "B1"}], {("A1", True), ("B1", True)}),
        ([{"eventName": "A1"}, {"b": "y"}], None),
    ],
)
def test_the_names_are_known_by_which_a_rule_can_match(selection: Any, expected: set[tuple[str, bool]] | None) -> None:
    named = compiled(selection).named

    assert (None if named is None else {(literal.text, literal.whole) for literal in named}) == expected
    assert all(literal.member == "eventName" for literal in named or ())


def test_beside_the_name_of_an_event_that_is_everywhere_something_else_is_looked_for() -> None:
    rule = compiled(
        {"eventName|startswith": ["PutObject", "DeleteObject"], "requestParameters.key|contains": "AWSLogs"}
    )

    assert literals(rule) == {"AWSLogs"}
    assert rule.named is not None
    assert {literal.text for literal in rule.named} == {"PutObject", "DeleteObject"}


def test_nothing_is_looked_for_in_a_negation() -> None:
    assert literals(compiled({"a": "x"}, "not selection")) is None
    assert literals(compiled({"a": "x"}, "selection and not other", other={"eventName": "y"})) == {"x"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (".+:assumed-role/aws:.+", {"assumed-role"}),
        (r"^arn\.aws$", {"arn.aws"}),
        ("Stop(Logging)?", None),
        ("Stop|Start", None),
        ("[SP]top", {"top"}),
        ("Stopp*", {"Stop"}),
        ("Stopp+ed", {"Stop"}),
        ("Stopp{2}", {"Stop"}),
        (r"\d+\w?x", {"x"}),
        (r"\x41bcdef", None),
        (r"\Qab.c\E", None),
        ("[[:alpha:]]bc", None),
        ("[0-9]+", None),
    ],
)
def test_the_plain_texts_of_a_simple_expression_are_looked_for(expression: str, expected: set[str] | None) -> None:
    assert literals(compiled({"a|re": expression})) == expected


def test_an_expression_without_regard_to_case_has_letters_that_ascii_has_not() -> None:
    rule = compiled({"a|re|i": "askme"})

    assert rule.matches({"a": "a\N{LATIN SMALL LETTER LONG S}\N{KELVIN SIGN}ME"})
    assert literals(rule) == {"me"}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"requestParameters.policyDocument.Statement.Effect": "Allow"}, {"policyDocument"}),
        ({"requestParameters.policyDocument.Statement.n": 5}, {"policyDocument"}),
        ({"requestParameters.policyDocument.Statement.n": True}, {"policyDocument"}),
        ({"requestParameters.policyDocument.Statement|exists": True}, {"policyDocument"}),
        ({"requestParameters.policyDocument.Statement|exists": False}, None),
        ({"requestParameters.policyDocument.Statement": None}, None),
        ({"requestParameters.policyDocument.Statement|neq": "x"}, None),
        ({"userIdentity.sessionContext.sessionIssuer.userName": "Alice"}, {"Alice"}),
        ({"requestParameters.bucketName": "Alice"}, {"Alice"}),
    ],
)
def test_of_what_may_lie_in_a_document_only_the_name_of_the_document_is_looked_for(
    selection: Any, expected: set[str] | None
) -> None:
    assert literals(compiled(selection)) == expected


def test_an_escape_that_is_itself_escaped_hides_no_document() -> None:
    document = json.dumps(r'{"Effect": "\u0041llow"}').replace("\\\\", r"\u005c")
    record = f'{{"requestParameters": {{"policyDocument": {{"Statement": {document}}}}}}}'
    rule = compiled({"requestParameters.policyDocument.Statement.Effect": "Allow"})

    assert rule.matches(json.loads(record))
    assert rule.literals is not None
    assert Prefilter(rule.literals).search(record.encode())
    assert not Prefilter([Literal("Allow")]).search(record.encode())


# Properties

FIELDS = ("eventName", "eventSource", "a", "a.b", "")
PIECES = (
    *(
        "Stop",
        "log",
        "tRuE",
        "1",
        "10",
        "10.0",
        "e",
        "/",
        '"',
        "\\",
        " ",
        "\N{KELVIN SIGN}",
        ".",
        ":",
        "{",
        "*",
        "?",
        "null",
    ),
    *('{"b":', '"b":10.0', '"b":10', '"Stop":"'),
)
NUMBERS = ("1", "-0", "10", "1e1", "1.0", "10.50", "1E400", "123456789012345678901234567890")
MODIFIERS = (
    *("", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased", "|neq"),
    *("|windash|contains", "|re", "|re|i"),
)
CONDITIONS = ("one", "one or two", "one and not two", "one and two")


def some_text(random: Random) -> str:
    return "".join(random.choices(PIECES, k=random.randint(0, 3)))


def some_json(random: Random, depth: int = 2) -> str:
    """JSON of a value, its white space and numbers spelt in any way, its texts of a small alphabet."""
    gap = random.choice(["", " ", "\n"])
    kind = random.choice(["text", "text", "number", "word", "array", "object"] if depth else ["text", "number"])
    if kind == "text":
        return json.dumps(some_text(random), ensure_ascii=False).replace("/", random.choice(["/", "\\/"]))
    if kind == "number":
        return random.choice(NUMBERS)
    if kind == "word":
        return random.choice(["true", "false", "null"])
    inner = [some_json(random, depth - 1) for _ in range(random.randint(0, 2))]
    if kind == "array":
        return f"[{gap}" + f"{gap},".join(inner) + "]"
    return "{" + ",".join(f'{gap}"{random.choice(["b", "Stop"])}"{gap}:{gap}{one}' for one in inner) + "}"


def some_selection(random: Random) -> dict[str, Any]:
    selection: dict[str, Any] = {}
    for field in random.sample(FIELDS, k=random.randint(1, 3)):
        modifier = random.choice(MODIFIERS)
        values: list[Any] = [some_text(random) or "Stop" for _ in range(random.randint(1, 3))]
        if "|re" in modifier:
            values = [random.choice(["", "^", "x*", ".+"]).join(map(re.escape, each)) for each in values]
        if field and not modifier and random.random() < 0.3:
            values.append(random.choice([True, False, 1, 10, None]))
        selection[field + modifier] = values
    return selection


def some_record(random: Random, selection: dict[str, Any]) -> str:
    """JSON of a record that has a good chance to meet the selection."""
    members = []
    for field in ("eventName", "eventSource", "a"):
        wanted = [value for key, values in selection.items() if key.partition("|")[0] == field for value in values]
        likely = wanted and random.random() < 0.6
        one = json.dumps(random.choice(wanted), ensure_ascii=False) if likely else some_json(random)
        if likely and random.random() < 0.3:
            one = one.replace("/", "\\/")
        members.append(f'"{field}": {one}')
    return "{" + ", ".join(members) + "}"


@pytest.mark.parametrize("seed", range(5))
def test_a_record_that_matches_has_a_literal_in_its_json(seed: int) -> None:
    random = Random(seed)
    proven = 0
    for _ in range(200):
        one, two = some_selection(random), some_selection(random)
        rule = compile_rule({**HEAD, "detection": {"one": one, "two": two, "condition": random.choice(CONDITIONS)}})[1]
        if rule.literals is None:
            continue
        # What Prefilter answers, without its start-up.
        may_hold = portable(patterns(rule.literals))
        may_be_named = portable(patterns(rule.named)) if rule.named else may_hold
        for _ in range(20):
            text = some_record(random, one)
            if rule.matches(json.loads(text)):
                assert may_hold(text.encode()), (one, two, text)
                assert may_be_named(text.encode()), (one, two, text)
                proven += 1

    assert proven > 100


@given(st.randoms(use_true_random=False), json_values())
def test_no_record_makes_a_rule_fail(random: Random, value: Any) -> None:
    selection = some_selection(random)
    rule = compiled(selection)
    names = {key.partition("|")[0].partition(".")[0] for key in selection}

    for one in (value, {"b": value}):
        assert rule.matches(dict.fromkeys(names, one)) in (True, False)
