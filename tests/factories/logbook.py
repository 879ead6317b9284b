"""Reads along what every test makes HMS log, as it leaves for operators: nobody of the tests' world may stand in it, and no key."""

import logging
import re
from typing import TYPE_CHECKING, override

import psycopg

from core.accounts.api_keys.text import SHAPE
from tests.factories.leaks import traces_of
from tests.factories.patients import NUMBERS, OTHERS, PEOPLE

if TYPE_CHECKING:
    from tests.factories.server import Server

DISTINCT = 8
IDS = re.compile(rb"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# The longer names: a short one may be part of a word. Mail addresses and phones are those that every patient of the world has.
NAMES = [person["family_name"] for person in (*PEOPLE, *OTHERS) if len(person["family_name"]) >= DISTINCT]
OF_PATIENTS = [*NAMES, *(f"patient{number}@example.org" for number in range(6)), NUMBERS["GB"][1:9], NUMBERS["US"][1:9]]


class Logbook(logging.Handler):
    """Beside the handler that operators have, with its filters and its format."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def open(self) -> None:
        """Begin to read along. The settings' own handler must be there already."""
        root = logging.getLogger()
        console = next(one for one in root.handlers if one.get_name() == "console")
        self.setFormatter(console.formatter)
        for one in console.filters:
            self.addFilter(one)
        root.addHandler(self)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def found(self) -> list[str]:
        """What the lines since the last call say of patients, and API keys in them."""
        lines, self.lines = self.lines, []
        if not lines:
            return []
        text = "\n".join(lines)
        keys = [f"the API key of account {one[1]} stands in the log" for one in SHAPE.finditer(text)]
        return keys + [f"{one} stands in the log" for one in traces_of(OF_PATIENTS, {"log": without_ids(text.encode())})]


logbook = Logbook()


def without_ids(log: bytes) -> bytes:
    """The random digits of an id may happen to be somebody's telephone number."""
    return IDS.sub(b"", log)


def said_of_patients(server: "Server") -> list[str]:
    """What a server's output says of the patients in its database; nothing if the test has taken the database away."""
    try:
        with server.connect() as connection:
            rows = connection.execute("SELECT family_name, email, right(phone, 9) FROM patients_patient").fetchall()
    except psycopg.OperationalError:
        return []
    values = {value for row in rows for value in row if len(value) >= DISTINCT}
    return traces_of(values, {"the server's log": without_ids(server.log.read_bytes())})
