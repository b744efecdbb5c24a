"""The certification page and the suite name each other completely."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = (_ROOT / "docs" / "connectors" / "certification.md").read_text(encoding="utf-8")
_SUITE = "".join(
    (_ROOT / "tests" / "contract" / name).read_text(encoding="utf-8")
    for name in ("test_storefront.py", "test_refunds.py", "test_notes.py")
)


def test_every_test_of_the_suite_proves_a_numbered_promise() -> None:
    tests = set(re.findall(r"^async def (test_\w+)", _SUITE, re.MULTILINE))
    promised = set(re.findall(r"`(test_\w+)`", _PAGE.partition("## 9.")[0]))
    assert tests == promised


def test_every_test_and_file_that_the_page_names_exists() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (_ROOT / "tests").rglob("test_*.py"))
    missing = [name for name in re.findall(r"`(test_\w+)`", _PAGE) if f"def {name}(" not in sources]
    missing += [name for name in re.findall(r"`((?:app|tests)/[\w/.]+)`", _PAGE) if not (_ROOT / name).exists()]
    assert missing == []


def test_promises_are_numbered_without_gaps() -> None:
    numbers = [tuple(map(int, found.split("."))) for found in re.findall(r"^\| (\d+\.\d+) \|", _PAGE, re.MULTILINE)]
    assert numbers == sorted(set(numbers))
    for section in {first for first, _ in numbers}:
        in_section = [second for first, second in numbers if first == section]
        assert in_section == list(range(1, len(in_section) + 1))
