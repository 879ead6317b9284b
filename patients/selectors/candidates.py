"""Which records could be meant: keyed tokens and name ranges, combined by INTERSECT in one statement."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from core.keys.sealing import search_key
from patients import tokens
from patients.models import PatientToken
from patients.selectors.id_sets import IdSet, beginning_with, born_in, intersection, named, union, with_token
from patients.selectors.terms import CodeTerm, DateTerm, EmailTerm, NameTerm, NumberTerm, Term

MOST = 200  # candidates of one kind that are ranked; each costs about 30 us
FEWEST = 30  # of a beginning that many have in common, whatever the page's length


def beginning_ids(clinic_id: UUID, terms: Sequence[Term], most: int = MOST) -> IdSet:
    """Everything typed is found as typed or as a beginning; whole names come first. At most `most` of each kind."""
    every = intersection(*(_as_typed(clinic_id, term) for term in terms)).first(most)
    whole = _whole_names(clinic_id, [term.word for term in terms if isinstance(term, NameTerm)], len(terms), most)
    return union(*whole, every)


def misspelt_ids(clinic_id: UUID, terms: Sequence[Term]) -> IdSet:
    """Each name may have a slip or only sound alike; numbers and dates are found as typed."""
    return intersection(*(_misspelt(clinic_id, term) for term in terms)).first(MOST)


def loose_ids(clinic_id: UUID, terms: Sequence[Term]) -> IdSet:
    """Any one of the names, perhaps with a slip, or any one of the numbers."""
    told = [term for term in terms if not (isinstance(term, NameTerm) and len(term.word) < tokens.SHORTEST_PREFIX)]
    found = [_misspelt(clinic_id, term).first(MOST) for term in told]
    return union(*found).first(2 * MOST) if found else with_token(clinic_id, [])


def any_token_ids(clinic_id: UUID, pieces: Iterable[tuple[str, str]]) -> IdSet:
    """Records with any of these pieces."""
    return with_token(clinic_id, tokens.tokens_of_pieces(clinic_id, pieces))


def all_tokens_ids(clinic_id: UUID, *groups: Iterable[tuple[str, str]]) -> IdSet:
    """Records with at least one piece of every group."""
    key = search_key(clinic_id)
    return intersection(*(with_token(clinic_id, [tokens.token_under(key, *piece) for piece in group]) for group in groups))


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


def _as_typed(clinic_id: UUID, term: Term) -> IdSet:
    match term:
        case NameTerm(word) if len(word) < tokens.SHORTEST_PREFIX:
            starts = any_token_ids(clinic_id, [(tokens.PREFIX, word)])
            return union(beginning_with(clinic_id, "family_norm", word), beginning_with(clinic_id, "given_norm", word), starts)
        case NameTerm(word):
            return any_token_ids(clinic_id, [(tokens.PREFIX, tokens.start_of(word))])
        case NumberTerm():
            return _by_number(clinic_id, term)
        case DateTerm(days):
            return any_token_ids(clinic_id, _births(days))
        case CodeTerm(record, identity):
            return any_token_ids(clinic_id, [(tokens.RECORD, record), *_unread(identity)])
        case EmailTerm(address):
            return any_token_ids(clinic_id, [(tokens.EMAIL, address)])


def _misspelt(clinic_id: UUID, term: Term) -> IdSet:
    if not isinstance(term, NameTerm) or len(term.word) < tokens.SHORTEST_PREFIX:
        return _as_typed(clinic_id, term)
    pieces = {(tokens.SLIP, variant) for variant in tokens.slips(term.word)}
    pieces |= {(tokens.PREFIX, tokens.start_of(term.word)), (tokens.SOUND, tokens.sound(term.word))}
    return any_token_ids(clinic_id, ((kind, piece) for kind, piece in pieces if piece))


def _by_number(clinic_id: UUID, term: NumberTerm) -> IdSet:
    pieces = [(tokens.RECORD, term.digits.lstrip("0") or "0"), *_unread(term.digits), *_births(term.days)]
    pieces += [(tokens.PHONE, ending) for ending in tokens.phone_endings(term.digits)[:1]]
    return union(any_token_ids(clinic_id, pieces), *(born_in(clinic_id, year) for year in term.years))


def _unread(code: str) -> list[tuple[str, str]]:
    return [(kind, piece) for _field, kind, piece in tokens.unread_pieces(code)]


def _births(days: Iterable[date]) -> list[tuple[str, str]]:
    return [(tokens.BIRTH, day.isoformat()) for day in days]


def _whole_names(clinic_id: UUID, words: list[str], terms: int, most: int) -> list[IdSet]:
    """Records whose names are exactly the words, either part first; none when other things were typed too.

    Of one word those whose name begins with it, in the order in which they will be shown.
    """
    if not words or len(words) != terms:
        return []
    if len(words) == 1:
        return [beginning_with(clinic_id, part, words[0]).first(most) for part in ("family_norm", "given_norm")]
    found = []
    for cut in range(1, len(words)):
        one, other = " ".join(words[:cut]), " ".join(words[cut:])
        for given, family in ((one, other), (other, one)):
            found.append(named(clinic_id, given=given, family=family).first(most))
    return found
