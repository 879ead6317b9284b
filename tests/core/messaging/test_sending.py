"""Messages go out once, by the first channel that takes them, and secrets don't stay."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from core.messaging import courier as couriers
from core.messaging.courier import Courier, send_waiting
from core.messaging.models import Channel, Kind, OutgoingMessage
from core.messaging.services import digest_of, post
from core.tenancy.context import platform_scope
from tests.architecture.catalogue import connected
from tests.factories.letters import Letterbox
from tests.factories.ports import free_port
from tests.factories.threads import apart

ADDRESS, PHONE = "ines@example.org", "+442079460018"
TO = {Channel.EMAIL: ADDRESS, Channel.SMS: PHONE}
State = OutgoingMessage.State


def write(kind: Kind = Kind.CODE, channels: tuple[Channel, ...] = (Channel.EMAIL,), **more: Any) -> Any:
    with platform_scope(reason="test"):
        return post(kind=kind, to=TO, channels=channels, subject="Your code", text="It is 123 456.", **more)


def test_a_letter_arrives_and_its_secret_is_wiped(mail: Letterbox, ledger: Any) -> None:
    key = write()
    assert send_waiting() == 1
    letter = mail.wait_for(ADDRESS)
    assert (letter["subject"], letter["text"].strip()) == ("Your code", "It is 123 456.")
    assert str(key) in letter["id"]
    (row,) = ledger()
    assert (row.state, row.channel, row.attempts, row.addresses, row.subject, row.text) == (State.SENT, "email", 1, "", "", "")
    assert row.to_digest == digest_of(ADDRESS.upper())
    assert send_waiting() == 0
    assert len(mail.arrived) == 1


def test_a_notice_keeps_its_words_encrypted(mail: Letterbox, ledger: Any) -> None:
    write(Kind.NOTICE)
    send_waiting()
    assert ledger()[0].text == "It is 123 456."
    with platform_scope(reason="test"):
        with connections["platform"].cursor() as cursor:
            cursor.execute("SELECT addresses, subject, text FROM core_outgoingmessage")
            stored = b"".join(bytes(part) for part in cursor.fetchone())
    assert ADDRESS.encode() not in stored and b"123" not in stored


def test_a_text_message_goes_by_the_gateway_with_its_key_and_token(texts: Letterbox, ledger: Any) -> None:
    key = write(channels=(Channel.SMS,))
    send_waiting()
    letter = texts.wait_for(PHONE)
    assert letter["key"] == letter["id"] == str(key)
    assert letter["authorization"] == "Bearer a-token"
    assert (letter["channel"], letter["kind"], letter["text"]) == ("sms", "code", "It is 123 456.")


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_when_the_gateway_refuses_the_next_channel_takes_it(status: int, texts: Letterbox, mail: Letterbox, ledger: Any) -> None:
    texts.refuse = status
    write(channels=(Channel.SMS, Channel.EMAIL))
    send_waiting()
    mail.wait_for(ADDRESS)
    (row,) = ledger()
    assert (row.state, row.channel, row.cause) == (State.SENT, "email", f"sms: HTTP {status}")


def test_what_no_channel_takes_waits_longer_each_time_and_then_fails(texts: Letterbox, mail: Letterbox, ledger: Any) -> None:
    texts.refuse = mail.refuse = 550
    write(channels=(Channel.SMS, Channel.EMAIL))
    pauses = []
    for _ in range(couriers.ATTEMPTS):
        with platform_scope(reason="test"):
            OutgoingMessage.objects.update(due_at=timezone.now())
        before = timezone.now()
        assert send_waiting() == 1
        (row,) = ledger()
        pauses.append((row.due_at - before).total_seconds() if row.state == State.WAITING else None)
        assert send_waiting() == 0  # not before it is due
    assert pauses[-1] is None
    assert all(later > 1.9 * earlier for earlier, later in pairwise(pauses[:-1]))
    assert (row.state, row.cause, row.text) == (State.FAILED, "sms: HTTP 550; email: SMTP 550", "")


def test_a_notice_that_may_have_gone_out_is_not_sent_again(texts: Letterbox, mail: Letterbox, ledger: Any) -> None:
    texts.refuse = 502
    write(Kind.NOTICE, channels=(Channel.SMS, Channel.EMAIL))
    send_waiting()
    (row,) = ledger()
    assert row.state == State.UNKNOWN
    assert send_waiting() == 0
    assert mail.arrived == []


def test_a_channel_that_is_away_is_passed_over(settings: Any, mail: Letterbox, ledger: Any) -> None:
    settings.HMS_MESSAGE_GATEWAYS = {"sms": f"http://127.0.0.1:{free_port()}/", "whatsapp": ""}
    write(Kind.NOTICE, channels=(Channel.SMS, Channel.EMAIL))
    send_waiting()
    mail.wait_for(ADDRESS)
    assert ledger()[0].cause == "sms: no connection"


def test_nobody_gets_nothing_and_the_row_looks_like_work(settings: Any, ledger: Any) -> None:
    with platform_scope(reason="test"):
        post(kind=Kind.CODE, to={}, channels=list(Channel), subject="s", text="t")
    settings.MAILERS = {}
    write()  # this installation has no way out
    for row in ledger():
        assert (row.state, row.cause, row.text, row.addresses) == (State.FAILED, "no channel", "", "")


def test_an_expired_code_is_not_sent_and_wiped(mail: Letterbox, ledger: Any) -> None:
    write(expires_at=timezone.now() - timedelta(seconds=1))
    assert send_waiting() == 0
    (row,) = ledger()
    assert (row.state, row.cause, row.text, row.wipe_at) == (State.FAILED, "expired", "", None)


def test_while_it_is_handed_over_its_state_says_unknown(mail: Letterbox, ledger: Any, monkeypatch: Any) -> None:
    """A process that dies here leaves it so; nobody sends it a second time."""

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(couriers, "send", dies)
    write(Kind.NOTICE)
    with pytest.raises(KeyboardInterrupt):
        send_waiting()
    assert ledger()[0].state == State.UNKNOWN
    monkeypatch.undo()
    assert send_waiting() == 0


def test_the_command_sends_too(mail: Letterbox, ledger: Any, capsys: Any) -> None:
    write()
    call_command("send_messages")
    assert "1 messages tried" in capsys.readouterr().out
    mail.wait_for(ADDRESS)


def test_the_application_s_role_may_only_add(world: object) -> None:
    with connected("hms_app") as connection:
        for statement in (
            "SELECT 1 FROM core_outgoingmessage",
            "UPDATE core_outgoingmessage SET kind = ''",
            "DELETE FROM core_outgoingmessage",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]
            connection.rollback()


@pytest.fixture
def committing(world: object) -> Iterator[None]:
    """What `apart` does is committed; it is taken away afterwards."""
    yield

    def clear() -> None:
        with platform_scope(reason="test"):
            OutgoingMessage.objects.all().delete()

    apart(clear)


def test_the_courier_sends_what_is_committed_and_nothing_that_is_rolled_back(mail: Letterbox, committing: None) -> None:
    def rolled_back() -> None:
        with transaction.atomic():
            post(kind=Kind.CODE, to={Channel.EMAIL: "lost@example.org"}, channels=[Channel.EMAIL], subject="a", text="b")
            transaction.set_rollback(True)

    def committed() -> None:
        with transaction.atomic():
            post(kind=Kind.CODE, to=TO, channels=[Channel.EMAIL], subject="a", text="b")
            assert mail.arrived == []

    couriers.courier.start()
    try:
        apart(rolled_back)
        apart(committed)
        mail.wait_for(ADDRESS)
        assert [letter["to"] for letter in mail.arrived] == [ADDRESS]
    finally:
        couriers.courier.stop()
    assert not couriers.courier.is_running


def test_many_couriers_send_each_letter_once(mail: Letterbox, committing: None) -> None:
    def write_twenty() -> None:
        with platform_scope(reason="test"):
            for number in range(20):
                to = {Channel.EMAIL: f"p{number}@example.org"}
                post(kind=Kind.NOTICE, to=to, channels=[Channel.EMAIL], subject="a", text="b")

    apart(write_twenty)
    several = [Courier() for _ in range(4)]
    for one in several:
        one.start()
    for number in range(20):
        mail.wait_for(f"p{number}@example.org")
    for one in several:
        one.stop()
    assert len(mail.arrived) == 20
