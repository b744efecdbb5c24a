"""Files made from seeds are files of the format, and not all alike."""

from pathlib import Path

from app.drill.read import read_drill
from tests.scenarios.generate import scenario, text


def test_every_seed_gives_a_file_of_the_format(tmp_path: Path) -> None:
    for seed in range(150):
        file = tmp_path / "one.yaml"
        file.write_text(text(seed), encoding="utf-8")
        assert read_drill(file).file.name == f"random {seed}"


def test_a_seed_gives_the_same_file_and_seeds_differ() -> None:
    assert scenario(3) == scenario(3)
    files = [scenario(seed) for seed in range(150)]
    assert {len(file["channels"]) for file in files} == {1, 2, 3}
    kinds = {name for file in files for step in file["steps"] for name in step if name != "at"}
    assert kinds >= {"order", "pay", "cancel", "load", "wms", "fault", "kill"}
    assert {policy["mode"] for file in files for policy in file["policies"] if "mode" in policy} == {
        "auto",
        "escrow",
        "shared",
    }
