"""A sealed stream comes back as it was, or not at all: whatever is changed, cut off or put elsewhere is refused."""

import base64
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from core.backup.errors import Damaged, WrongKey
from core.backup.packing import end, member, members
from core.backup.sealing import HEADER, PIECE, TAG, opened, sealed

SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5]
FRAME = PIECE + TAG


def uneven(content: bytes) -> Iterator[bytes]:
    """In pieces of any size, some empty."""
    source, chance = memoryview(content), random.Random(1)
    while source:
        count = chance.choice([0, 1, 700, 300_000])
        yield bytes(source[:count])
        source = source[count:]


def written(size: int) -> tuple[bytes, bytes]:
    content = os.urandom(size)
    return content, b"".join(sealed(uneven(content)))


def read(stream: bytes) -> bytes:
    return b"".join(opened(uneven(stream)))


@pytest.mark.parametrize("size", SIZES)
def test_it_comes_back_as_it_was(size: int) -> None:
    content, stream = written(size)
    assert read(stream) == content
    assert content[:64] not in stream or size < 16


def test_the_same_content_never_looks_the_same() -> None:
    first, second = (b"".join(sealed([b"x" * 1000])) for _ in range(2))
    assert first[HEADER:] != second[HEADER:]


@pytest.mark.parametrize("place", [0, 5, 14, 20, HEADER - 1, HEADER, HEADER + 500, HEADER + FRAME, -TAG - 1, -1])
def test_a_flipped_bit_anywhere_is_seen(place: int) -> None:
    _content, stream = written(2 * PIECE + 100)
    harmed = bytearray(stream)
    harmed[place] ^= 1
    with pytest.raises((Damaged, WrongKey)):
        read(bytes(harmed))


@pytest.mark.parametrize(
    "left", [0, 3, HEADER - 1, HEADER, HEADER + 10, HEADER + FRAME, HEADER + 2 * FRAME, HEADER + 2 * FRAME + 50]
)
def test_a_stream_that_was_cut_off_is_seen(left: int) -> None:
    _content, stream = written(2 * PIECE + 100)
    with pytest.raises(Damaged, match=r"ends too early|no backup"):
        read(stream[:left])


def test_pieces_can_t_change_places_nor_come_twice_nor_from_elsewhere() -> None:
    _content, stream = written(3 * PIECE)
    _other, another = written(3 * PIECE)
    head, one, two, three = stream[:HEADER], *(stream[HEADER + FRAME * n : HEADER + FRAME * (n + 1)] for n in range(3))
    for wrong in (
        two + one + three,
        one + one + two + three,
        one + three,
        one + another[HEADER + FRAME : HEADER + 2 * FRAME] + three,
    ):
        with pytest.raises(Damaged):
            read(head + wrong)
    assert len(read(head + one + two + three)) == 3 * PIECE


def test_what_follows_the_end_is_seen() -> None:
    _content, stream = written(100)
    with pytest.raises(Damaged):
        read(stream + b"x")


def test_another_installation_s_key_opens_nothing(settings: Any) -> None:
    _content, stream = written(100)
    settings.HMS_BACKUP_KEYS = ["7:" + base64.urlsafe_b64encode(os.urandom(32)).decode()]
    with pytest.raises(WrongKey, match="No key of HMS_BACKUP_KEYS opens this backup"):
        read(stream)


def test_keys_of_its_own_are_used_and_old_ones_still_open(settings: Any) -> None:
    old, new = (f"{number}:{base64.urlsafe_b64encode(os.urandom(32)).decode()}" for number in (1, 2))
    settings.HMS_BACKUP_KEYS = [old]
    content, stream = written(5000)
    settings.HMS_BACKUP_KEYS = [new, old]
    assert read(stream) == content
    settings.HMS_BACKUP_KEYS = [new]
    with pytest.raises(WrongKey):
        read(stream)


def test_members_come_back_one_by_one() -> None:
    wanted = [("database/00000000", os.urandom(100_000)), ("documents/" + "a" * 80 + "/" + "b" * 80, b""), ("manifest.json", b"{}")]
    pieces = [piece for one in wanted for piece in member(*one)] + [end()]
    assert list(members(uneven(b"".join(pieces)))) == wanted


def test_members_that_end_in_the_middle_are_seen() -> None:
    pieces = b"".join(member("database/00000000", os.urandom(100_000)))
    with pytest.raises(Damaged):
        list(members([pieces[:50_000]]))
