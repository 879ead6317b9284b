"""Check digits that standards publish: whether a number was copied right, not whether anybody has it."""

from collections.abc import Sequence

WEIGHTS_OF_NHS = range(10, 1, -1)


def luhn_holds(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right is doubled, and the digits' sum ends in 0."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def weighted_sum(digits: str, weights: Sequence[int]) -> int:
    """The sum of each digit times its weight, from the left; digits without a weight count nothing."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def nhs_holds(digits: str) -> bool:
    """Modulus 11 of ten digits (NHS Data Dictionary, “NHS NUMBER”); a number whose check digit would be 10 is never issued."""
    check = 11 - weighted_sum(digits, WEIGHTS_OF_NHS) % 11
    return check != 10 and check % 11 == int(digits[9])
