from stream.deliver.channels.told import Told


def test_who_lacks_any_of_the_alerts_is_missing() -> None:
    told = Told()
    assert told.missing(["1"], ["ann", "bob"]) == ["ann", "bob"]
    told.add(["1", "2"], ["ann"])
    told.add(["1"], ["bob"])
    assert told.missing(["1"], ["ann", "bob", "cyd"]) == ["cyd"]
    assert told.missing(["1", "2"], ["ann", "bob", "cyd"]) == ["bob", "cyd"]
    told.forget(["1", "3"])
    assert told.missing(["1"], ["ann"]) == ["ann"]
    assert len(told) == 1


def test_no_more_than_the_last_alerts_are_remembered() -> None:
    told = Told(most=2)
    for number in range(5):
        told.add([str(number)], ["ann"])
        told.add(["0"], ["ann"])
    assert len(told) == 2
    assert [told.missing([str(number)], ["ann"]) for number in (0, 3, 4)] == [[], ["ann"], []]
