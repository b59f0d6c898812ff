from stream.deliver.threads import Threads


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_first_message_of_an_incident_is_known_until_its_time_is_over() -> None:
    clock = _Clock()
    threads = Threads(lasts_s=60, now=clock)
    threads.begin("a", "1")
    clock.now = 59
    threads.begin("b", "2")
    assert (threads.first("a"), threads.first("b"), threads.first("c")) == ("1", "2", None)
    clock.now = 60
    assert (threads.first("a"), threads.first("b"), len(threads)) == (None, "2", 1)


def test_one_that_is_forgotten_begins_anew() -> None:
    threads = Threads()
    threads.begin("a", "1")
    threads.forget("a")
    threads.forget("a")
    assert threads.first("a") is None
    threads.begin("a", "2")
    threads.begin("a", "3")
    assert (threads.first("a"), len(threads)) == ("3", 1)


def test_so_many_incidents_are_remembered_and_the_oldest_gives_way() -> None:
    threads = Threads(most=3)
    for name in "abcd":
        threads.begin(name, name)
    assert [threads.first(name) for name in "abcd"] == [None, "b", "c", "d"]
