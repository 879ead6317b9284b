"""People at HMS for locust, in a process of its own: `manage.py loadtest` starts it and says in HMS_LOADTEST what is wanted."""

import json
import os
import re
from itertools import count
from random import Random
from typing import Any

from locust import HttpUser, between, task
from locust.clients import HttpSession
from locust.exception import StopUser

from hms.simulation.mix import Mix

WANTED = json.loads(os.environ["HMS_LOADTEST"])
ROLES = ("receptionist", "receptionist", "doctor", "clinic-admin")  # whom each user is by turns
FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]*)"')
REFUSED_RIGHTLY = (409, 412)  # the time is taken, the record has changed: a clinic's answers, no failures
numbers = count()


class Answer:
    def __init__(self, status: int, data: Any) -> None:
        self.status, self.data = status, data


class Person(HttpUser):
    """Somebody at work: one thing after the other, with a short look in between."""

    wait_time = between(*WANTED["pause"])

    def on_start(self) -> None:
        number = next(numbers)
        clinics = WANTED["clinics"]
        self.email = f"{ROLES[number // len(clinics) % len(ROLES)]}@{clinics[number % len(clinics)]}.demo"
        self.reader = HttpSession(self.host or "", self.environment.events.request, self)
        self._sign_in()
        chance = Random(f"{WANTED['seed']} {number}")
        writes = self.email.startswith("receptionist")
        self.mix = Mix(self._ask, self._page, chance=chance, may_write=writes, kinds=WANTED["endpoints"])

    @task
    def work(self) -> None:
        self.mix.do(self.mix.next())

    def _sign_in(self) -> None:
        """At the API, and at the pages as a browser does."""
        who = {"email": self.email, "password": WANTED["password"]}
        answer = self._ask("sign-in", "POST", "/api/v2/auth/token", who)
        form = FORM_TOKEN.search(self.reader.get("/sign-in/", name="sign-in page").text or "")
        if answer.status != 200 or form is None:
            raise StopUser
        self.client.headers["Authorization"] = f"Bearer {answer.data['access']}"
        self.reader.post("/sign-in/", who | {"csrfmiddlewaretoken": form[1]}, name="sign-in page")

    def _ask(self, kind: str, method: str, path: str, body: Any) -> Answer:
        with self.client.request(method, path, json=body, name=kind, catch_response=True) as response:
            if response.status_code in REFUSED_RIGHTLY:
                response.success()
            is_json = response.headers.get("Content-Type", "").startswith("application/json")
            said = response.json() if is_json else {}
            return Answer(response.status_code or 0, said.get("data"))

    def _page(self, kind: str, path: str) -> Answer:
        return Answer(self.reader.get(path, name=kind).status_code or 0, None)
