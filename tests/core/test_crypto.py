"""Encrypted values: bound to their place, readable under older keys, and nothing else."""

import base64
import os
from typing import Any

import pytest

from core.security.crypto import Undecipherable, decrypt, derived_search_key, encrypt
from core.tenancy.ids import new_id


def key(number: int) -> str:
    return f"{number}:" + base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_a_value_comes_back() -> None:
    assert decrypt(encrypt(b"AB 12", context="a.b"), context="a.b") == b"AB 12"


def test_it_can_not_be_read_in_another_place() -> None:
    with pytest.raises(Undecipherable):
        decrypt(encrypt(b"AB 12", context="a.b"), context="a.c")


@pytest.mark.parametrize("position", [0, 1, 5, 20, -1])
def test_a_changed_byte_is_noticed(position: int) -> None:
    sealed = bytearray(encrypt(b"AB 12", context="a.b"))
    sealed[position] ^= 1
    with pytest.raises(Undecipherable):
        decrypt(bytes(sealed), context="a.b")


def test_a_new_key_takes_over_and_the_old_one_still_reads(settings: Any) -> None:
    old, new = key(1), key(2)
    settings.HMS_ENCRYPTION_KEYS = [old]
    sealed = encrypt(b"old", context="a.b")
    settings.HMS_ENCRYPTION_KEYS = [new, old]
    assert decrypt(sealed, context="a.b") == b"old"
    assert encrypt(b"new", context="a.b")[1] == 2
    settings.HMS_ENCRYPTION_KEYS = [new]
    with pytest.raises(Undecipherable):
        decrypt(sealed, context="a.b")


def test_clinics_search_under_different_keys() -> None:
    one, other = new_id(), new_id()
    assert derived_search_key(one) == derived_search_key(one) != derived_search_key(other)
