"""A payload names things and says nothing of anybody."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.kinds import Run
from core.jobs.payloads import Arguments, NotAPayload, checked

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
GOOD: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (0, 0),
    (2**31 - 1, 2**31 - 1),
    (1.5, 1.5),
    (ID, str(ID)),
    (str(ID), str(ID)),
    (date(2026, 3, 17), "2026-03-17"),
    ("2026-03-17", "2026-03-17"),
    (datetime(2026, 3, 17, 9, tzinfo=UTC), "2026-03-17T09:00:00+00:00"),
    ("reports.daily", "reports.daily"),
    ([ID, str(ID)], [str(ID)] * 2),
    ([], []),
]
BAD: list[Any] = [
    "Ines",
    "Ines Haddad",
    "ines@example.org",
    "+442079460018",
    "442079460018",
    442079460018,
    -(2**31),
    float("nan"),
    float("inf"),
    "",
    "chest pain",
    "a" * 41,
    {"name": "x"},
    ["plain"],
    [[ID]],
    [1],
    [uuid4()] * 101,
    b"bytes",
    datetime(2026, 3, 17, 9),
    object(),
]


@pytest.mark.parametrize(("value", "stored"), GOOD, ids=repr)
def test_ids_numbers_codes_and_dates_are_taken(value: Any, stored: Any) -> None:
    assert checked({"it": value}) == {"it": stored}


@pytest.mark.parametrize("value", BAD)
def test_everything_else_is_refused_without_being_repeated(value: Any) -> None:
    with pytest.raises(NotAPayload, match=r"^it: ") as refused:
        checked({"it": value})
    assert not isinstance(value, str) or not value or value not in str(refused.value)


@pytest.mark.parametrize("name", ["Name", "a b", "1st", "", "x" * 41])
def test_so_are_names_that_are_no_names(name: str) -> None:
    with pytest.raises(NotAPayload):
        checked({name: 1})


def test_a_payload_is_small() -> None:
    with pytest.raises(NotAPayload, match="4096 bytes"):
        checked({f"list_{number}": [ID] * 50 for number in range(3)})


@given(st.text().filter(lambda text: any(character.isupper() or character in " @+'" for character in text)))
def test_what_people_type_is_no_code(text: str) -> None:
    try:
        stored = checked({"it": text})["it"]
    except NotAPayload:
        return
    assert isinstance(stored, str)
    datetime.fromisoformat(stored) if len(stored) != 36 else UUID(stored)  # an id or a time, nothing else


def sample(
    run: Run, *, patient_id: UUID, day: date | None = None, many: int = 1, whole: bool = False, ids: list[UUID] | None = None
) -> None:
    """What a kind may look like."""


def test_arguments_are_those_of_the_function() -> None:
    arguments = Arguments(sample)
    stored = checked({"patient_id": ID, "day": date(2026, 3, 17), "many": 3, "whole": True, "ids": [ID]})
    arguments.check(stored)
    assert arguments.read(stored) == {"patient_id": ID, "day": date(2026, 3, 17), "many": 3, "whole": True, "ids": [ID]}


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"patient_id": "reports"},
        {"patient_id": str(ID), "day": "soon"},
        {"patient_id": str(ID), "many": "3"},
        {"patient_id": str(ID), "many": True},
        {"patient_id": str(ID), "whole": 1},
        {"patient_id": str(ID), "other": 1},
    ],
    ids=repr,
)
def test_a_payload_that_does_not_fit_its_kind_is_refused_when_it_is_wanted(payload: dict[str, Any]) -> None:
    with pytest.raises(NotAPayload):
        Arguments(sample).check(payload)
