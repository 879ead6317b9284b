"""docs/security: every item of levels 1 and 2 of OWASP's ASVS 5.0 is answered, and what the answers name exists."""

import re
from collections import Counter

import pytest
from django.apps import apps
from django.conf import settings

SECURITY = settings.BASE_DIR / "docs/security"
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([12]) \| (\S+) \| (.+) \|$", re.M)
BY_NATURE = {"3.7.1"}  # there is nothing to test
STATES = {"held", "partly", "later", "operator", "n/a"}
ROWS = ROW.findall((SECURITY / "asvs.md").read_text())
CODE = ("core", "clinics", "patients", "appointments", "hms")
PRIMITIVE = re.compile(
    r"^\s*(?:from|import) (?:hashlib|hmac|secrets|cryptography|django\.core\.signing|jwt)\b|import signing\b", re.M
)


def test_every_item_of_both_levels_is_there_once() -> None:
    assert Counter(level for _, level, _, _ in ROWS) == {"1": 70, "2": 183}, "as many as the standard has"
    assert len({number for number, *_ in ROWS}) == len(ROWS)
    assert {state for _, _, state, _ in ROWS} <= STATES


def test_the_page_counts_right() -> None:
    count = Counter(state for *_, state, _ in ROWS)
    said = "{held} are held, {partly} partly, {later} come later, {operator} are the operator's and {n/a} don't apply."
    assert f"Of {len(ROWS)} items {said.format_map(count)}" in (SECURITY / "asvs.md").read_text()


@pytest.mark.parametrize("number,level,state,words", ROWS, ids=[row[0] for row in ROWS])
def test_what_an_answer_names_exists(number: str, level: str, state: str, words: str) -> None:
    tests = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", words)
    pages = re.findall(r"\bdocs/[\w./-]+\.md|\b[A-Z_]+\.md", words)
    for path, name in tests:
        assert re.search(rf"^(?:async )?def {name}\(", (settings.BASE_DIR / path).read_text(), re.M), f"{path}::{name}"
    for page in pages:
        assert (settings.BASE_DIR / page).is_file(), page
    if state == "held":
        assert tests or pages or "make check" in words or number in BY_NATURE, f"{number} is held by nothing"


def test_the_inventory_names_every_use_of_cryptography() -> None:
    said = (SECURITY / "cryptography.md").read_text()
    used = {
        str(path.relative_to(settings.BASE_DIR))
        for app in CODE
        for path in (settings.BASE_DIR / app).glob("**/*.py")
        if PRIMITIVE.search(path.read_text())
    }
    assert used
    assert {path for path in used if f"`{path}`" not in said} == set()
    weak = re.compile(r"\bmd5\b|\bsha1\((?!.*usedforsecurity=False)|modes\.(?:ECB|CBC)|PKCS1v15", re.I)
    assert [path for path in used if weak.search((settings.BASE_DIR / path).read_text())] == []


def test_every_table_has_its_level_of_protection() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (care|person|clinic|technical) \|$", (SECURITY / "data.md").read_text(), re.M)
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert sorted(name for name, _ in listed) == sorted(tables)


def test_every_requirement_is_pinned() -> None:
    lines = (settings.BASE_DIR / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    assert wanted and all(re.fullmatch(r"[\w-]+(?:\[[\w,]+\])?==[\w.]+", line) for line in wanted)
