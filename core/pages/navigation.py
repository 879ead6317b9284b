"""The main menu. Each app adds its pages in `AppConfig.ready()`; core knows none of them."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise

from core.accounts.actor import Actor


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in the rail: where in the order, its words, icon, URL name, and whom the matrix lets see it."""

    order: int
    label: str | Promise
    icon: str
    url_name: str
    resource: str
    action: str = "view"
    phone_bar: bool = True


@dataclass(frozen=True, slots=True)
class MenuLink:
    item: MenuItem
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class SettingsLink:
    """A page of the clinic's settings, as the overview lists it."""

    order: int
    label: str | Promise
    words: str | Promise
    icon: str
    url_name: str
    resource: str
    action: str = "view"

    @property
    def href(self) -> str:
        return reverse(self.url_name)


_items: list[MenuItem] = []
_settings: list[SettingsLink] = []
_patient_home: list[str] = []


def add_menu_item(item: MenuItem) -> None:
    _items.append(item)
    _items.sort(key=lambda one: one.order)


def add_settings_link(link: SettingsLink) -> None:
    _settings.append(link)
    _settings.sort(key=lambda one: one.order)


def settings_for(actor: Actor) -> list[SettingsLink]:
    """The pages of the settings that this person may see."""
    return [link for link in _settings if actor.can(link.resource, link.action)]


def set_patient_home(url_name: str) -> None:
    """Name the page on which somebody who is only a patient begins."""
    _patient_home[:] = [url_name]


def patient_home() -> str:
    """The address of that page; empty when nobody named one."""
    return reverse(_patient_home[0]) if _patient_home else ""


def start_for(actor: Actor) -> str:
    """Where somebody begins who may not see the day's visits: patients at home, others on the first page of their menu,
    whoever has none in the administration. Empty when there is no page at all."""
    if actor.is_patient_only:
        return patient_home()
    if links := menu_for(actor, "/"):
        return links[0].href
    return reverse("admin:index") if actor.can("admin", "view") else ""


def menu_for(actor: Actor, path: str) -> list[MenuLink]:
    """The links this person may follow; the longest address that begins `path` is the current one."""
    if actor.clinic_id is None or actor.is_patient_only:
        return []
    links = [(item, reverse(item.url_name)) for item in _items if actor.can(item.resource, item.action)]
    here = max((href for _, href in links if path.startswith(href)), key=len, default="")
    if here == "/" and path != "/":
        here = ""
    return [MenuLink(item, href, href == here) for item, href in links]
