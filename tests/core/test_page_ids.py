"""An id stands once on a page: what points at it (a label, a menu's button, a link, a swap) finds what it means."""

import re
from collections import Counter
from typing import Any

from core.accounts.models import Membership
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.queue import open_queue
from tests.factories.routes import routes
from tests.factories.world import World

ID = re.compile(r'<[^>]*\sid="([^"]+)"')


def test_no_id_stands_twice_on_a_page(world: World, sign_in: Any) -> None:
    """Seen by somebody who works in two clinics and at two places, with many rows of everything."""
    place, other = world.riverside, world.hillcrest
    person = place.users[Role.CLINIC_ADMIN]
    with clinic_scope(other.clinic, reason="test"):
        Membership.objects.create(clinic=other.clinic, user=person, roles=[Role.CLINIC_ADMIN])
    with clinic_scope(place.clinic, reason="test"):
        open_queue(place, location=1)
    grow(place)
    client = sign_in(person, place.clinic)
    twice, seen = {}, 0
    for route in routes("page", methods=("GET",)):
        page = client.get(filled(route, place))
        if page.status_code != 200 or "<html" not in page.text:
            continue
        seen += 1
        if many := {name: count for name, count in Counter(ID.findall(page.text)).items() if count > 1}:
            twice[route.path] = many
    assert seen > 30 and not twice
