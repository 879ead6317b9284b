"""The two clinics of the demo: where they are, who works there, what they offer and when."""

from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal

CONSULTING, TREATMENT = "consulting", "treatment"


@dataclass(frozen=True, slots=True)
class DemoService:
    """What can be booked. `kinds` of providers offer it."""

    name: str
    minutes: int
    price: Decimal
    tone: str
    kinds: tuple[str, ...]
    room_kind: str = ""
    before: int = 0
    after: int = 0
    description: str = ""
    weight: int = 4  # how often it is booked


@dataclass(frozen=True, slots=True)
class DemoProvider:
    """Somebody who sees patients. `role` ties the provider to the demo user of that role."""

    name: str
    kind: str
    department: str
    home: int  # index of the location
    away: int | None = None  # where they work on Thursdays and Fridays
    role: str = ""


@dataclass(frozen=True, slots=True)
class DemoClinic:
    slug: str
    name: str
    time_zone: str
    locale: str
    country: str
    currency: str
    mrn_prefix: str
    locations: tuple[tuple[str, str, str], ...]  # name, address, phone
    providers: tuple[DemoProvider, ...]
    services: tuple[DemoService, ...]
    cities: tuple[tuple[str, str, str], ...]  # city, region, postal code with # for a digit and @ for a letter
    streets: tuple[str, ...]
    phone_heads: tuple[str, ...]  # followed by digits of a range kept for fiction, so that nobody is ever called
    insurers: tuple[str, ...]
    holidays: tuple[tuple[int, int, str], ...]  # month, day, name
    departments: tuple[str, ...] = field(default=("General practice", "Nursing", "Therapies", "Diagnostics"))


@dataclass(frozen=True, slots=True)
class Hours:
    """One block of a working week."""

    weekday: int
    start: time
    end: time
    away: bool = False  # at the provider's second location


def week_of(position: int, provider: DemoProvider) -> list[Hours]:
    """The regular week of the clinic's provider at this position. Between them all seven days are covered."""
    blocks = []
    day_off = (position * 2 + 3) % 5 if position % 3 == 1 else None
    for weekday in range(5):
        if weekday == day_off:
            continue
        away = provider.away is not None and weekday >= 3
        early = time(8, 0) if position % 2 == 0 else time(8, 30)
        late = time(20, 0) if (position, weekday) in {(2, 1), (5, 3)} else time(17, 30) if position % 2 == 0 else time(18, 0)
        blocks += [Hours(weekday, early, time(12, 30), away), Hours(weekday, time(13, 20), late, away)]
    if position in (0, 3, 6, 7):
        blocks.append(Hours(5, time(9, 0), time(13, 0)))
    if position in (1, 4, 6):
        blocks.append(Hours(6, time(10, 0), time(14, 0)))
    return blocks


def _services(prices: str) -> tuple[DemoService, ...]:
    price = iter(prices.split())

    def service(name: str, minutes: int, tone: str, kinds: str, room: str = "", **more: object) -> DemoService:
        return DemoService(name, minutes, Decimal(next(price)), tone, tuple(kinds.split()), room, **more)  # type: ignore[arg-type]

    return (
        service("Consultation", 15, "accent", "doctor", CONSULTING, weight=12, description="A new complaint, or one that came back."),
        service("Long consultation", 30, "accent", "doctor", CONSULTING, weight=4, description="Several concerns, or an interpreter."),
        service("Follow-up", 10, "info", "doctor", CONSULTING, weight=8, description="After a test or a change of treatment."),
        service("Telephone call", 10, "mute", "doctor nurse", weight=4, description="The provider rings the patient."),
        service("New patient check", 30, "ok", "doctor nurse", weight=2, description="History, measurements, medicines."),
        service("Child health check", 20, "ok", "doctor", CONSULTING, weight=2, after=5, description="Growth, hearing, vaccinations due."),
        service("Minor surgery", 40, "warn", "doctor", CONSULTING, before=5, after=10, weight=1, description="Moles, cysts, ingrown nails."),
        service("Blood test", 10, "info", "nurse technician", TREATMENT, weight=10, description="Fasting, if the request says so."),
        service("Vaccination", 10, "ok", "nurse", TREATMENT, weight=6, description="Stay for ten minutes afterwards."),
        service("Wound care", 20, "warn", "nurse", TREATMENT, after=5, weight=4, description="Dressings, stitches out."),
        service("ECG", 20, "info", "technician", TREATMENT, after=5, weight=6, description="Twelve leads, read on the same day."),
        service("Physiotherapy", 30, "mute", "therapist", CONSULTING, weight=8, description="Assessment or treatment."),
    )  # fmt: skip


RIVERSIDE = DemoClinic(
    "riverside", "Riverside Practice", "Europe/London", "en-gb", "GB", "GBP", "RV",
    locations=(
        ("Riverside Health Centre", "14 Wharf Lane, London SE1 9ZZ", "+442079460100"),
        ("Mill Lane Surgery", "3 Mill Lane, London SE16 9ZZ", "+442079460140"),
        ("Quayside Clinic", "Unit 5, Ropemakers Yard, London SE8 9ZZ", "+442079460180"),
    ),
    providers=(
        DemoProvider("Dr Ruth Hale", "doctor", "General practice", 0, role="doctor"),
        DemoProvider("Dr Samir Haddad", "doctor", "General practice", 0, away=1),
        DemoProvider("Dr Ngozi Okafor", "doctor", "General practice", 1),
        DemoProvider("Dr Thomas Bevan", "doctor", "General practice", 1, away=2),
        DemoProvider("Dr Priya Nair", "doctor", "General practice", 2),
        DemoProvider("Dr Fiona McAllister", "doctor", "General practice", 2),
        DemoProvider("Nurse Joanna Zielińska", "nurse", "Nursing", 0, role="nurse"),
        DemoProvider("Nurse Delroy Grant", "nurse", "Nursing", 1),
        DemoProvider("Ingrid Voss", "therapist", "Therapies", 0),
        DemoProvider("Kwame Boateng", "technician", "Diagnostics", 2),
    ),
    services=_services("45.00 80.00 30.00 25.00 60.00 55.00 140.00 18.00 22.50 35.00 48.00 52.00"),
    cities=(("London", "", "SE# #@@"), ("London", "", "SE1# #@@"), ("Greenwich", "London", "SE10 #@@"), ("Croydon", "Surrey", "CR# #@@")),
    streets=("Wharf Lane", "Tanner Street", "Orchard Close", "St Mary's Road", "Albion Terrace", "Long Walk", "Elm Grove", "Station Approach",
             "Jubilee Court", "Chandler's Row", "Meadow Rise", "Victoria Gardens", "Ferry Road", "Cooper's Yard", "Laburnum Avenue"),
    phone_heads=("+4420794600", "+4420794601", "+4420794602", "+4420794603", "+4420794604", "+4420794605", "+4420794606", "+4420794607",
                 "+4416149600", "+4411749602"),
    insurers=("Meridian Health", "Albion Mutual", "Crown & Anchor Life"),
    holidays=((12, 25, "Christmas Day"), (12, 26, "Boxing Day"), (1, 1, "New Year's Day")),
)  # fmt: skip
HILLCREST = DemoClinic(
    "hillcrest", "Hillcrest Clinic", "America/New_York", "en-us", "US", "USD", "HC",
    locations=(
        ("Hillcrest Main", "1200 Hillcrest Avenue, Albany, NY 12299", "+15185550100"),
        ("Downtown Office", "88 Canal Street, Suite 4, Albany, NY 12299", "+15185550140"),
        ("Lakeview Center", "5 Lakeview Drive, Troy, NY 12299", "+15185550180"),
    ),
    providers=(
        DemoProvider("Dr Elena Castillo", "doctor", "General practice", 0, role="doctor"),
        DemoProvider("Dr Marcus Freeman", "doctor", "General practice", 0, away=2),
        DemoProvider("Dr Hannah Rosenthal", "doctor", "General practice", 1),
        DemoProvider("Dr Minh Trần", "doctor", "General practice", 1, away=0),
        DemoProvider("Dr William Abernathy", "doctor", "General practice", 2),
        DemoProvider("Dr Soo-jin Park", "doctor", "General practice", 2),
        DemoProvider("Nurse Keisha Booker", "nurse", "Nursing", 0, role="nurse"),
        DemoProvider("Nurse Dominic DeLuca", "nurse", "Nursing", 2),
        DemoProvider("Gabriela Núñez", "therapist", "Therapies", 1),
        DemoProvider("Anil Sharma", "technician", "Diagnostics", 0),
    ),
    services=_services("120.00 210.00 85.00 60.00 180.00 150.00 420.00 40.00 35.00 95.00 130.00 110.00"),
    cities=(("Albany", "NY", "1220#"), ("Troy", "NY", "1218#"), ("Schenectady", "NY", "1230#"), ("Saratoga Springs", "NY", "12866")),
    streets=("Maple Street", "Washington Avenue", "Hudson Street", "Oakwood Drive", "Second Avenue", "Lark Street", "Pinecrest Road",
             "Canal Street", "Sycamore Lane", "Western Avenue", "Lakeview Drive", "Elmwood Court", "Madison Avenue", "River Road"),
    phone_heads=("+151855501", "+121255501", "+191755501", "+164655501", "+131555501", "+160755501", "+158555501"),
    insurers=("Empire Harbor Health", "Adirondack Blue", "Liberty Mutual Care", "Unity Plan of New York"),
    holidays=((12, 25, "Christmas Day"), (1, 1, "New Year's Day"), (7, 4, "Independence Day")),
)  # fmt: skip

CLINICS = (RIVERSIDE, HILLCREST)
