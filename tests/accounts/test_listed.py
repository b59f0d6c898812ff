"""Names of accounts as somebody lists them: inline, or in a file of YAML, JSON or CSV."""

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.accounts.account import NAME_CHARACTERS, Account
from stream.accounts.listed import inline, is_inline, load, parse
from stream.errors import ConfigError

PROD, ZERO = "111122223333", "012345670123"
BOTH = {PROD: Account(PROD, "prod", "Root/Workloads", {"team": "core"}), ZERO: Account(ZERO, "old: one")}
KINDS = (".yml", ".yaml", ".json", ".csv")
FILES = {
    ".yml": f"""
# ids need no quotes, though one looks like an octal number
{PROD}: {{name: prod, ou: Root/Workloads, tags: {{team: core}}}}
{ZERO}: "old: one"
""",
    ".json": json.dumps({PROD: {"name": "prod", "ou": "Root/Workloads", "tags": {"team": "core"}}, ZERO: "old: one"}),
    ".csv": f"Account ID,Mail,name,ou,tags\r\n{PROD},a@b,prod,Root/Workloads,team=core\r\n\r\n{ZERO},,old: one\r\n",
}

ids = st.from_regex(r"[0-9]{12}", fullmatch=True)
names = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=40)


def test_a_list_stands_in_the_variable_itself() -> None:
    assert inline(f" {PROD} = the prod one,{ZERO}=a=b, ") == {
        PROD: Account(PROD, "the prod one"),
        ZERO: Account(ZERO, "a=b"),
    }
    assert is_inline(f"{PROD}=x")
    assert not is_inline("/etc/accounts=new.yml")


@pytest.mark.parametrize("kind", FILES)
def test_a_file_says_the_same_in_each_of_its_forms(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"accounts{kind}"
    file.write_text("\ufeff" + FILES[kind], encoding="utf-8")  # as Excel and Notepad begin a file

    assert load(f" {file} ") == BOTH


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("pr\x1b[2Jod\r\n", "pr [2Jod"),
        ("\u202eprod\u200b", "prod"),
        ("x" * 101, "x" * (NAME_CHARACTERS - 1) + "…"),
        ("プロダクション", "プロダクション"),
    ],
)
def test_a_name_becomes_one_plain_line(given: str, kept: str) -> None:
    (account,) = parse(json.dumps({PROD: given}), kind=".json", source="x").values()

    assert account.name == kept


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f"{PROD}=prod,dev", "entry 2: 'dev' is not of the form 111122223333=name"),
        (f"{PROD}=prod,1234=dev", "entry 2: '1234' is no account id, which has 12 digits; is a leading zero lost?"),
        (f"{PROD}=prod,{PROD}=dev", f"entry 2: the account {PROD} is there twice"),
        (f"{PROD}= ", f"entry 1: the account {PROD} has no name"),
        ("prod=111122223333", "can't read prod=111122223333: No such file or directory. It should be"),
        ("organisations", "can't read organisations: "),
        ("\x00", "can't read"),
    ],
)
def test_what_is_wrong_in_the_variable_is_named(value: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(value)

    assert str(refused.value).startswith("TRAILSTREAM_ACCOUNTS: ")
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (".yml", "111122223333: a\n12345670123: b", "line 2: '12345670123' is no account id, which has 12 digits; "),
        (".yml", "111122223333: a\n0x19DF6DF4D: b", "line 2: '0x19DF6DF4D' is no account id"),
        (".yml", "111122223333: a\n111122223333: b", "line 2: the account 111122223333 is there twice"),
        (".yml", "111122223333: [a]", "line 1: a text should stand"),
        (".yml", "111122223333: {name: {a: {b: c}}}", "line 1: "),
        (".yml", "111122223333: {name: a, nmae: b}", "line 1: 'nmae' is unknown; there are: name, ou, tags"),
        (".yml", "111122223333: {name: a, name: b}", "line 1: 'name' is there twice"),
        (".yml", "111122223333:", "line 1: of 111122223333 there should be a name"),
        (".yml", "? [a]\n: b", "line 1: a text should stand"),
        (".yml", "- a", "it should be a mapping"),
        (".yml", "a: [", "it is not YAML"),
        (".yml", "&a {*a : *a}", ""),
        (".yml", "# nothing", "it names no account"),
        (".json", '{"111122223333": {"ou": "x"}}', "entry 1: the account 111122223333 has no name"),
        (".json", '{"111122223333": 7}', "entry 1: of 111122223333 there should be a name"),
        (".json", '{"111122223333": {"name": "a", "ou": 7}}', "entry 1: the ou of"),
        (".json", '{"111122223333": {"name": "a", "tags": {"b": 7}}}', "entry 1: the tags of"),
        (".json", '{"111122223333": "a", "111122223333": "b"}', "'111122223333' is there twice"),
        (".json", '{"111122223333": "a",}', "it is not JSON: "),
        (".json", "[]", "it should be an object"),
        (".json", "[" * 100_000, "it is not JSON"),
        (".json", "{}", "it names no account"),
        (".csv", "id,nmae\n111122223333,prod", "line 1: the header should name"),
        (".csv", "id,name\n111122223333,a\n1.11122E+11,b", "line 3: '1.11122E+11' is no account id"),
        (".csv", "id,name\n111122223333,a,b", "line 2: it has more cells than the header"),
        (".csv", "id,name,tags\n111122223333,a,b", "line 2: tags are of the form"),
        (".csv", 'id,name\n111122223333,"a"b', "line 2: it is not CSV"),
        (".csv", "id,name\n111122223333", "line 2: the account 111122223333 has no name"),
        (".csv", "", "line 1: the header"),
        (".txt", "x", "a file of accounts ends in .yml, .yaml, .json or .csv"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_place(kind: str, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, kind=kind, source="accounts.x")

    assert str(refused.value).startswith(f"TRAILSTREAM_ACCOUNTS: accounts.x: {reason}")
    assert str(refused.value).isprintable()


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"a\.csv: it is not UTF-8"):
        load(str(tmp_path / "a.csv"))


@settings(max_examples=40)
@given(st.dictionaries(ids, names, min_size=1, max_size=5))
def test_every_id_and_name_comes_through_in_each_form(wanted: dict[str, str]) -> None:
    rows = io.StringIO(newline="")
    csv.writer(rows).writerows([("id", "name"), *wanted.items()])
    unquoted = "".join(f"{id_}: {json.dumps(name, ensure_ascii=False)}\n" for id_, name in wanted.items())
    texts = {".json": json.dumps(wanted), ".csv": rows.getvalue(), ".yaml": yaml.safe_dump(wanted), ".yml": unquoted}

    for kind, text in texts.items():
        found = parse(text, kind=kind, source="x")
        assert {id_: account.name for id_, account in found.items()} == wanted, kind


@given(st.sampled_from(KINDS), st.text() | st.text("{}[]:\"'\\,&*\n 0123456789ax").map(lambda text: f"{PROD}: {text}"))
def test_whatever_the_text_it_is_accounts_or_a_fault_that_can_be_printed(kind: str, text: str) -> None:
    try:
        found: Any = parse(text, kind=kind, source="x")
    except ConfigError as error:
        assert str(error).isprintable()  # noqa: PT017 - that it need not be refused is the point
    else:
        assert all(account.name and account.name.isprintable() for account in found.values())


@given(st.text())
def test_whatever_the_variable_holds_it_is_accounts_or_a_fault(value: str) -> None:
    with contextlib.suppress(ConfigError):
        assert load(f"{PROD}={value}")[PROD].id == PROD
