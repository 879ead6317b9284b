"""Names and numbers in the form in which they are compared: no case, no accents, no punctuation."""

import unicodedata

# Letters that Unicode does not take apart, as people without them on the keyboard type them.
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t"})
APOSTROPHES = "'’‘ʼʹ`´"
NORM_LENGTH = 200


def normalise(text: str) -> str:
    """NFKD, case-folded, accents removed. Vowel signs of Indic scripts, which are letters, stay."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in folded if not unicodedata.combining(c)).translate(LETTERS)


def name_parts(text: str) -> list[str]:
    """The words of a name, normalised. An apostrophe joins (O'Brien: obrien), all else that is no letter divides."""
    if text.isascii() and text.isalnum():
        return [text.lower()]
    joined = "".join(c for c in normalise("".join(c for c in text if c not in APOSTROPHES)))
    return "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in joined).split()


def sort_form(text: str) -> str:
    """What is stored for sorting and prefix ranges: the words with one space between."""
    return " ".join(name_parts(text))[:NORM_LENGTH].strip()


def digits_of(text: str) -> str:
    """The digits of any script, as ASCII."""
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdigit())


def code_form(text: str) -> str:
    """An identifier without case and punctuation: “QQ 12 34 56 C” is qq123456c."""
    return "".join(c for c in normalise(text) if c.isalnum())


def one_letter_less(word: str) -> set[str]:
    """The word, and the word without each of its letters: two words one slip apart share one of these."""
    return {word} | {word[:at] + word[at + 1 :] for at in range(len(word))}
