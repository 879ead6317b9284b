"""What a statement of a migration does to a table that people work with: which lock it takes, and for how long.

After the tables of https://www.postgresql.org/docs/current/explicit-locking.html and the notes of ALTER TABLE.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PIECE = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|;|[^$'\"\-/;]+|.", re.S)
NAME = r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?((?:\"[^\"]+\"|\w+)(?:\.(?:\"[^\"]+\"|\w+))?)"
VOLATILE = re.compile(r"DEFAULT\s+\(?\s*(?:gen_random_uuid|random|clock_timestamp|nextval|uuidv\d)\s*\(", re.I)


class Lock(StrEnum):
    """The locks that matter, by PostgreSQL's names."""

    NONE = "none"
    ROWS = "ROW EXCLUSIVE"  # of the rows that are written alone
    MAINTENANCE = "SHARE UPDATE EXCLUSIVE"  # everybody reads and writes on
    WRITES = "SHARE"  # nobody writes
    TRIGGERS = "SHARE ROW EXCLUSIVE"  # nobody writes
    ALL = "ACCESS EXCLUSIVE"  # nobody reads or writes
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Effect:
    """`grows`: the lock is held for as long as it takes to read or write the whole table; `rewrites`: the table is written anew.

    `breaks`: code of the version before, which still runs meanwhile, fails on it. `why` says so in one sentence.
    """

    statement: str
    table: str
    lock: Lock
    why: str
    grows: bool = False
    rewrites: bool = False
    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    lock: Lock
    why: str
    grows: bool = False
    rewrites: bool = False
    breaks: bool = False


def _rule(pattern: str, lock: Lock, why: str, **more: bool) -> Rule:
    return Rule(re.compile(pattern, re.I | re.S), lock, why, **more)


ALTER = rf"^ALTER\s+TABLE\s+{NAME}\s+"
CONSTRAINT, COLUMN = ALTER + r".*?\bADD\s+CONSTRAINT\b.*", ALTER + r".*?\bALTER\s+(?:COLUMN\s+)?\S+\s+"
INDEX = r"^CREATE\s+(?:UNIQUE\s+)?INDEX\b"
EVERY_ROW = "every row is looked at; NOT VALID first"
RULES = (
    # Indexes
    _rule(rf"{INDEX}\s+CONCURRENTLY\b.*?\bON\s+{NAME}", Lock.MAINTENANCE, "builds an index while others work", grows=True),
    _rule(rf"{INDEX}.*?\bON\s+{NAME}", Lock.WRITES, "builds an index: nobody writes meanwhile", grows=True),
    # What goes, or is called otherwise
    _rule(rf"^DROP\s+TABLE\s+{NAME}", Lock.ALL, "the table goes", breaks=True),
    _rule(ALTER + r"RENAME\b", Lock.ALL, "running code asks for the old name", breaks=True),
    _rule(ALTER + r"DROP\s+(?:COLUMN|(?!CONSTRAINT\b)\"?\w)", Lock.ALL, "running code asks for the column", breaks=True),
    # Columns
    _rule(
        COLUMN + r"(?:SET\s+DATA\s+)?TYPE\b",
        Lock.ALL,
        "the table is written anew, but for a longer varchar",
        grows=True,
        rewrites=True,
    ),
    _rule(COLUMN + r"SET\s+NOT\s+NULL", Lock.ALL, "every row is looked at, unless a valid CHECK says so already", grows=True),
    _rule(COLUMN + r"DROP\s+DEFAULT", Lock.ALL, "running code gives new rows no value (db_default keeps one)", breaks=True),
    _rule(ALTER + r"ADD\s+COLUMN\b.*\bSTORED\b", Lock.ALL, "a value is computed for every row", grows=True, rewrites=True),
    _rule(
        ALTER + r"ADD\s+COLUMN\b.*\b(?:AS\s+IDENTITY|\w*serial)\b", Lock.ALL, "every row gets a number", grows=True, rewrites=True
    ),
    _rule(ALTER + r"ADD\s+COLUMN\b(?=.*\bNOT\s+NULL\b)(?!.*\bDEFAULT\b)", Lock.ALL, "fails where there are rows", breaks=True),
    _rule(ALTER + r"ADD\s+COLUMN\b", Lock.ALL, "a moment"),
    # Constraints
    _rule(CONSTRAINT + r"\bUSING\s+INDEX\b", Lock.ALL, "takes an index that is there"),
    _rule(CONSTRAINT + r"\bFOREIGN\s+KEY\b.*\bNOT\s+VALID\b", Lock.TRIGGERS, "holds for new rows; validate it later"),
    _rule(CONSTRAINT + r"\bNOT\s+VALID\b", Lock.ALL, "holds for new rows; validate it later"),
    _rule(CONSTRAINT + r"\bFOREIGN\s+KEY\b", Lock.TRIGGERS, EVERY_ROW, grows=True),
    _rule(CONSTRAINT + r"\b(?:UNIQUE|PRIMARY\s+KEY|EXCLUDE)\b", Lock.ALL, "builds an index: nobody reads meanwhile", grows=True),
    _rule(CONSTRAINT, Lock.ALL, EVERY_ROW, grows=True),
    _rule(ALTER + r"VALIDATE\s+CONSTRAINT\b", Lock.MAINTENANCE, "every row is looked at while others work", grows=True),
    # The rest
    _rule(ALTER, Lock.ALL, "a moment"),
    _rule(rf"^(?:CREATE|ALTER|DROP)\s+POLICY\b.*?\bON\s+{NAME}", Lock.ALL, "a moment"),
    _rule(rf"^CREATE\s+(?:OR\s+REPLACE\s+)?(?:CONSTRAINT\s+)?TRIGGER\b.*?\bON\s+{NAME}", Lock.TRIGGERS, "a moment"),
    _rule(rf"^DROP\s+TRIGGER\b.*?\bON\s+{NAME}", Lock.ALL, "a moment"),
    _rule(rf"^(?:UPDATE|DELETE\s+FROM|INSERT\s+INTO)\s+{NAME}", Lock.ROWS, "holds the rows until the migration ends", grows=True),
    _rule(rf"^(?:TRUNCATE(?:\s+TABLE)?|CLUSTER|VACUUM\s+FULL)\s+{NAME}", Lock.ALL, "the whole table", grows=True, rewrites=True),
    _rule(rf"^(?:GRANT|REVOKE|COMMENT)\b.*?\bON\s+(?:TABLE\s+|COLUMN\s+)?{NAME}", Lock.NONE, "a moment"),
)
NOTHING = re.compile(
    r"^(?:BEGIN|COMMIT|SET\b|RESET\b|SELECT\b|ANALYZE\b|DO\b|DROP\s+(?:INDEX|FUNCTION|TYPE|SEQUENCE|VIEW)\b"
    r"|(?:CREATE|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:EXTENSION|FUNCTION|SEQUENCE|TYPE|VIEW|SCHEMA|COLLATION|STATISTICS|ROLE|DEFAULT)\b"
    r"|GRANT\b|REVOKE\b|COMMENT\b)",
    re.I,
)
CREATES = re.compile(rf"^CREATE\s+(?:UNLOGGED\s+|TEMP(?:ORARY)?\s+)?TABLE\s+{NAME}", re.I)


def effects(script: str, made: set[str]) -> Iterator[Effect]:
    """Of each statement on a table that was there before. `made` are the tables of this deployment, and is added to."""
    for statement in split(script):
        if match := CREATES.match(statement):
            made.add(bare(match[1]))
        elif (effect := effect_of(statement)) is not None and effect.table not in made:
            yield effect


def effect_of(statement: str) -> Effect | None:
    """What one statement does; None where it concerns no table."""
    for rule in RULES:
        if match := rule.pattern.match(statement):
            rewrites = rule.rewrites or bool(VOLATILE.search(statement) and re.search(r"\bADD\s+COLUMN\b", statement, re.I))
            why = "each row gets a value of its own" if rewrites and not rule.rewrites else rule.why
            return Effect(statement, bare(match[1]), rule.lock, why, rule.grows or rewrites, rewrites, rule.breaks)
    if NOTHING.match(statement):
        return None
    return Effect(statement, "", Lock.UNKNOWN, "read it yourself")


def split(script: str) -> Iterator[str]:
    """The statements of a script on one line each, without comments; quotes and function bodies are left whole."""
    pieces: list[str] = []
    for match in PIECE.finditer(script + ";"):
        if match[0] == ";":
            if statement := " ".join("".join(pieces).split()):
                yield statement
            pieces = []
        elif not match[0].startswith(("--", "/*")):
            pieces.append(match[0])


def bare(name: str) -> str:
    """A table's name without quotes and schema."""
    return name.replace('"', "").rpartition(".")[2]
