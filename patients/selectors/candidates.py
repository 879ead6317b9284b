"""Which records could be meant: keyed tokens and name ranges, combined by INTERSECT in one statement.

Only `=`, `<` and `>=` appear: under row-level security PostgreSQL uses an index only for operators it trusts not to leak.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import reduce
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from core.keys.sealing import search_key
from patients import tokens
from patients.models import Patient, PatientToken
from patients.selectors.terms import CodeTerm, DateTerm, EmailTerm, NameTerm, NumberTerm, Term

MOST = 200  # candidates of one kind that are ranked; each costs about 30 us
FEWEST = 40  # of a beginning that many have in common, whatever the page's length
HIGHEST = "\U0010ffff"
Ids = QuerySet[Any, Any]


def beginning_ids(clinic_id: UUID, terms: Sequence[Term], most: int = MOST) -> Ids:
    """Everything typed is found as typed or as a beginning; whole names come first. At most `most` of each kind."""
    every = _intersection([_as_typed(clinic_id, term) for term in terms])[:most]
    first = _whole_names([term.word for term in terms if isinstance(term, NameTerm)], len(terms), most)
    return first.union(every) if first is not None else every


def misspelt_ids(clinic_id: UUID, terms: Sequence[Term]) -> Ids:
    """Each name may have a slip or only sound alike; numbers and dates are found as typed."""
    return _intersection([_misspelt(clinic_id, term) for term in terms])[:MOST]


def loose_ids(clinic_id: UUID, terms: Sequence[Term]) -> Ids:
    """Any one of the names, perhaps with a slip, or any one of the numbers."""
    found = [_misspelt(clinic_id, term) for term in terms if not (isinstance(term, NameTerm) and len(term.word) < 3)]
    return _union([part[:MOST] for part in found] or [_nothing()])[: MOST * 2]


def any_token_ids(clinic_id: UUID, pieces: Iterable[tuple[str, str]]) -> Ids:
    """Records with any of these pieces."""
    return _with(tokens.tokens_of_pieces(clinic_id, pieces))


def all_tokens_ids(clinic_id: UUID, *groups: Iterable[tuple[str, str]]) -> Ids:
    """Records with at least one piece of every group."""
    key = search_key(clinic_id)
    return _intersection([_with([tokens.token_under(key, *piece) for piece in group]) for group in groups])


def unread_fields(clinic_id: UUID, codes: Iterable[str], ids: Iterable[UUID]) -> dict[UUID, dict[str, str]]:
    """Of these records, in which an encrypted number is one of the codes: record -> code -> field. One query."""
    pieces = [(code, *one) for code in codes for one in tokens.unread_pieces(code)]
    made = tokens.tokens_of_pieces(clinic_id, [(kind, piece) for _code, _field, kind, piece in pieces])
    meant = {token: (code, field) for token, (code, field, _kind, _piece) in zip(made, pieces, strict=True)}
    found: dict[UUID, dict[str, str]] = {}
    for patient_id, token in PatientToken.objects.filter(token__in=meant, patient_id__in=ids).values_list("patient_id", "token"):
        code, field = meant[token]
        found.setdefault(patient_id, {})[code] = field
    return found


def _as_typed(clinic_id: UUID, term: Term) -> Ids:
    match term:
        case NameTerm(word) if len(word) < tokens.SHORTEST_PREFIX:
            starts = _with(tokens.tokens_for(clinic_id, tokens.PREFIX, [word]))
            return _union([_range("family_norm", word), _range("given_norm", word), starts])
        case NameTerm(word):
            return _with(tokens.tokens_for(clinic_id, tokens.PREFIX, [tokens.start_of(word)]))
        case NumberTerm():
            return _by_number(clinic_id, term)
        case DateTerm(days):
            return _with(_birth_tokens(clinic_id, days))
        case CodeTerm(record, identity):
            return any_token_ids(clinic_id, [(tokens.RECORD, record), *_unread(identity)])
        case EmailTerm(address):
            return _with(tokens.tokens_for(clinic_id, tokens.EMAIL, [address]))


def _misspelt(clinic_id: UUID, term: Term) -> Ids:
    if not isinstance(term, NameTerm) or len(term.word) < tokens.SHORTEST_PREFIX:
        return _as_typed(clinic_id, term)
    pieces = {(tokens.SLIP, variant) for variant in tokens.slips(term.word)}
    pieces |= {(tokens.PREFIX, tokens.start_of(term.word)), (tokens.SOUND, tokens.sound(term.word))}
    return any_token_ids(clinic_id, ((kind, piece) for kind, piece in pieces if piece))


def _by_number(clinic_id: UUID, term: NumberTerm) -> Ids:
    pieces = [(tokens.RECORD, term.digits.lstrip("0") or "0"), *_unread(term.digits)]
    pieces += [(tokens.PHONE, ending) for ending in tokens.phone_endings(term.digits)[:1]]
    found = [_with(tokens.tokens_of_pieces(clinic_id, pieces) + _birth_tokens(clinic_id, term.days))]
    for year in term.years:
        born = Patient.objects.filter(date_of_birth__gte=date(year, 1, 1), date_of_birth__lte=date(year, 12, 31))
        found.append(born.values_list("id"))
    return _union(found)


def _unread(code: str) -> list[tuple[str, str]]:
    return [(kind, piece) for _field, kind, piece in tokens.unread_pieces(code)]


def _birth_tokens(clinic_id: UUID, days: Iterable[date]) -> list[int]:
    return tokens.tokens_for(clinic_id, tokens.BIRTH, (day.isoformat() for day in days))


def _whole_names(words: list[str], terms: int, most: int) -> Ids | None:
    """Records whose names are exactly the words, either part first; None when other things were typed too.

    Of one word those whose name begins with it, in the order in which they will be shown.
    """
    if not words or len(words) != terms:
        return None
    if len(words) == 1:
        return _union([_range("family_norm", words[0])[:most], _range("given_norm", words[0])[:most]])
    found = []
    for cut in range(1, len(words)):
        one, other = " ".join(words[:cut]), " ".join(words[cut:])
        for given, family in ((one, other), (other, one)):
            found.append(Patient.objects.filter(family_norm=family, given_norm=given).values_list("id")[:most])
    return _union(found)


def _range(column: str, word: str) -> Ids:
    """Names that begin with the word, in the order of the index that holds them."""
    bounds = {f"{column}__gte": word, f"{column}__lt": word + HIGHEST}
    other = "given_norm" if column == "family_norm" else "family_norm"
    return Patient.objects.filter(**bounds).order_by(column, other, "id").values_list("id")


def _with(wanted: Sequence[int]) -> Ids:
    return PatientToken.objects.filter(token__in=wanted).values_list("patient_id")


def _nothing() -> Ids:
    return PatientToken.objects.filter(token__in=[0]).values_list("patient_id")


def _union(parts: Sequence[Ids]) -> Ids:
    return parts[0].union(*parts[1:]) if len(parts) > 1 else parts[0]


def _intersection(parts: Sequence[Ids]) -> Ids:
    return reduce(lambda whole, part: whole.intersection(part), parts)
