"""The manual's page of settings is what the code says."""

from pathlib import Path

from app.config.reference import duration, page
from app.metrics import document
from app.settings import ProductSettingsTree, ms

ROOT = Path(__file__).parents[3]


def test_the_page_of_settings_is_up_to_date() -> None:
    shown = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert shown == page(), "run: .venv/bin/clarus-stream config reference > docs/settings.md"


def test_the_page_of_metrics_is_up_to_date() -> None:
    shown = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert shown == document(), "run: .venv/bin/clarus-stream config metrics > docs/metrics.md"


def test_every_setting_of_the_tree_is_on_the_page_and_says_what_it_is() -> None:
    text = page()
    for group, field in ProductSettingsTree.model_fields.items():
        assert f"## settings.{group}" in text
        model = field.annotation
        assert model is not None
        for name in model.model_fields:
            assert f"| `{name}` | " in text


def test_durations_are_written_as_they_are_read() -> None:
    for text in ("25ms", "2s", "90s", "5m", "1h", "7d", "0ms"):
        assert ms(duration(ms(text))) == ms(text)
    assert [duration(v) for v in (25, 2000, 90_000, 300_000, 86_400_000)] == ["25ms", "2s", "90s", "5m", "1d"]
