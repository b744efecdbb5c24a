"""Which orders a command includes is read from its figure, exactly."""

import random

import pytest

from bench.order_cover import MOST_UNDER_WAY, Cover, NotCovered


def opened(gross: int = 1000) -> Cover:
    cover = Cover()
    assert cover.see("A", 1, gross) == []
    return cover


def test_a_command_for_one_order_gives_the_time_it_was_sent() -> None:
    cover = opened()
    assert cover.send("A", 5.0) == 1
    assert cover.see("A", 2, 999) == [5.0]
    assert (cover.sent, cover.covered, cover.commands, cover.under_way) == (1, 1, 1, 0)


def test_orders_on_their_way_ask_for_different_units_and_units_are_used_again() -> None:
    cover = opened()
    assert [cover.send("A", at) for at in (1.0, 2.0, 3.0)] == [1, 2, 4]
    assert cover.see("A", 2, 998) == [2.0]
    assert [cover.send("A", at) for at in (4.0, 5.0)] == [2, 8]


def test_a_later_order_may_be_included_first() -> None:
    cover = opened()
    cover.send("A", 1.0), cover.send("A", 2.0), cover.send("A", 3.0)
    assert cover.see("A", 2, 994) == [2.0, 3.0]
    assert cover.under_way == 1
    assert cover.see("A", 3, 993) == [1.0]


def test_skus_are_apart() -> None:
    cover = opened()
    cover.see("B", 7, 50)
    assert (cover.send("A", 1.0), cover.send("B", 2.0)) == (1, 1)
    assert cover.see("B", 8, 49) == [2.0]
    assert cover.under_way == 1


def test_a_command_that_includes_nothing_new_is_none_of_an_order() -> None:
    cover = opened()
    cover.send("A", 1.0)
    assert cover.see("A", 2, 1000) == []
    assert (cover.covered, cover.commands) == (0, 0)


@pytest.mark.parametrize("version", [1, 2])
def test_a_command_that_comes_again_is_wrong(version: int) -> None:
    cover = opened()
    cover.send("A", 1.0)
    cover.see("A", 2, 999)
    with pytest.raises(NotCovered, match=f"version {version} came after that of version 2"):
        cover.see("A", version, 999)


@pytest.mark.parametrize("gross", [1001, 996, 998, 999 - 8])
def test_a_figure_that_no_orders_explain_is_wrong(gross: int) -> None:
    cover = opened()
    cover.send("A", 1.0)
    with pytest.raises(NotCovered, match="the figure fell by"):
        cover.see("A", 2, gross)
    assert cover.under_way == 1


def test_too_many_on_their_way_end_the_run() -> None:
    cover = opened()
    for number in range(MOST_UNDER_WAY):
        cover.send("A", float(number))
    with pytest.raises(NotCovered, match="does not keep up"):
        cover.send("A", 99.0)


def test_every_order_is_found_whatever_is_put_together_and_overtaken() -> None:
    chance, cover, figures = random.Random(3), Cover(), dict.fromkeys("ABC", 10**9)
    for sku in figures:
        cover.see(sku, 1, figures[sku])
    on_their_way: dict[str, list[tuple[float, int]]] = {sku: [] for sku in figures}
    for number in range(2, 5000):
        sku = chance.choice("ABC")
        if len(on_their_way[sku]) < 12 and chance.random() < 0.6:
            on_their_way[sku].append((float(number), cover.send(sku, float(number))))
            continue
        chosen = [one for one in on_their_way[sku] if chance.random() < 0.4]
        on_their_way[sku] = [one for one in on_their_way[sku] if one not in chosen]
        figures[sku] -= sum(units for _, units in chosen)
        assert sorted(cover.see(sku, number, figures[sku])) == [at for at, _ in chosen]
    assert cover.under_way == sum(map(len, on_their_way.values()))
