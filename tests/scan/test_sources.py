"""What paths stand for."""

import os
from pathlib import Path

import pytest

from stream.scan.sources import Missing, Skipped, Source, find


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12345")


def keys(*paths: object) -> list[str]:
    return [found.key for found in find(map(str, paths)) if isinstance(found, Source)]


def test_a_folder_is_all_log_files_below_it_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b/2.json.gz", "b/1.json", "a/x/deep.gz", "c.JSON.GZ", "notes.txt", "a/x/deep.gz.tmp", "json")

    assert keys(tmp_path) == [str(tmp_path / name) for name in ("a/x/deep.gz", "b/1.json", "b/2.json.gz", "c.JSON.GZ")]


def test_sizes_are_known(tmp_path: Path) -> None:
    write(tmp_path, "1.json")

    assert list(find([str(tmp_path / "1.json")])) == [Source("", str(tmp_path / "1.json"), 5)]


def test_a_file_named_outright_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, "events.log")

    assert keys(tmp_path / "events.log") == [str(tmp_path / "events.log")]


@pytest.mark.parametrize("other", ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-Aggregated"])
def test_what_cloudtrail_keeps_beside_its_records_is_skipped(tmp_path: Path, other: str) -> None:
    write(tmp_path, f"AWSLogs/1/{other}/1.json.gz", "AWSLogs/1/CloudTrail/2.json.gz", f"AWSLogs/1/My{other}/3.json.gz")
    found = list(find([str(tmp_path)]))

    assert [type(item) for item in found] == [Source, Skipped, Source]
    assert Skipped(str(tmp_path / f"AWSLogs/1/{other}/1.json.gz")) in found
    assert list(find([str(tmp_path / f"AWSLogs/1/{other}/1.json.gz")])) == [Skipped(found[1].name)]


@pytest.mark.parametrize("other", ["Config", "vpcflowlogs", "elasticloadbalancing"])
def test_what_other_services_log_beside_cloudtrail_is_skipped(tmp_path: Path, other: str) -> None:
    account = "AWSLogs/111122223333"
    write(tmp_path, f"{account}/{other}/eu-west-1/2026/11/24/x.json.gz", f"{account}/CloudTrail/eu-west-1/y.json.gz")

    assert [type(each) for each in find([str(tmp_path)])] == [Source, Skipped]


def test_a_prefix_called_like_another_folder_hides_no_log_file(tmp_path: Path) -> None:
    write(tmp_path, "CloudTrail-Digest/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/24/x.json.gz")

    assert [type(each) for each in find([str(tmp_path)])] == [Source]


def test_a_glob_that_the_shell_left_alone_is_expanded(tmp_path: Path) -> None:
    write(tmp_path, "a/1.json", "b/2.json", "b/3.txt")

    assert keys(tmp_path / "*/[12].json") == [str(tmp_path / "a/1.json"), str(tmp_path / "b/2.json")]
    assert keys(tmp_path / "**/2.json") == [str(tmp_path / "b/2.json")]


def test_a_glob_gives_each_file_once_also_below_folders_that_match(tmp_path: Path) -> None:
    write(tmp_path, "a/1.json", "a/x/2.json", "a-b/3.json")

    assert sorted(keys(f"{tmp_path}/**")) == [str(tmp_path / name) for name in ("a-b/3.json", "a/1.json", "a/x/2.json")]


def test_a_glob_does_not_go_in_circles_nor_wait_for_a_pipe(tmp_path: Path) -> None:
    write(tmp_path, "a.json.gz", "below/b.json.gz")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.json.gz").symlink_to(tmp_path / "self.json.gz")
    os.mkfifo(tmp_path / "pipe.json.gz")

    assert [Path(key).name for key in keys(tmp_path / "**" / "*.json.gz")] == ["a.json.gz", "b.json.gz"]


def test_a_name_with_brackets_that_exists_is_no_glob(tmp_path: Path) -> None:
    write(tmp_path, "logs[1].json", "logs1.json")

    assert keys(tmp_path / "logs[1].json") == [str(tmp_path / "logs[1].json")]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("nowhere", "No such file or directory"), ("no*where", "no file matches"), ("a\0b", "that is no path")],
)
def test_what_is_not_there_is_missing(tmp_path: Path, path: str, reason: str) -> None:
    name = f"{tmp_path}/{path}"

    assert list(find([name])) == [Missing(name, reason)]


def test_order_is_that_of_the_paths_with_what_is_missing_in_its_place(tmp_path: Path) -> None:
    write(tmp_path, "b.json", "a.json")
    found = list(find([str(tmp_path / "b.json"), str(tmp_path / "x"), str(tmp_path / "a.json")]))

    assert [type(item) for item in found] == [Source, Missing, Source]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/1.json", "logs/2.json")
    (tmp_path / "logs/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "logs/round").symlink_to(tmp_path / "logs")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "logs")
    (tmp_path / "logs/file.json").symlink_to(tmp_path / "elsewhere/1.json")

    assert keys(tmp_path / "logs") == [str(tmp_path / "logs" / name) for name in ("2.json", "file.json", "link/1.json")]


def test_a_link_to_nowhere_is_missing_if_it_is_called_like_a_log_file(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")

    assert list(find([str(tmp_path)])) == [Missing(str(tmp_path / "gone.json"), "No such file or directory")]


def test_a_pipe_is_read_by_whoever_has_it_and_only_if_it_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")

    assert list(find([str(tmp_path / "pipe.json")])) == [Source("", str(tmp_path / "pipe.json"), 0, shared=False)]
    assert list(find([str(tmp_path)])) == []


def test_a_dash_is_standard_input() -> None:
    (found,) = find(["-"])

    assert found == Source("", "-", 0, shared=False)
    assert found.name == "standard input"


def test_a_name_that_is_not_utf_8_is_a_name_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.json")
    Path(name).write_bytes(b"{}")

    assert keys(tmp_path) == [name]
