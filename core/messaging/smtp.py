"""E-mail: one letter to the mail server, which is left alone for a while when it is in trouble."""

import os
import smtplib
from contextlib import closing
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, mailers

from core.messaging.wire import LEFT_ALONE, PACE, NotSent
from core.outbound.breakers import Breaker

NO_SUCH_MAILBOX = {550, 551, 553}  # of RCPT TO: the address itself; other refusals may be ours


class _InTrouble(NotSent):
    """It is the server's fault and not this letter's."""


@lru_cache(maxsize=4)
def _breaker(name: str) -> Breaker:
    return Breaker(name, PACE)


os.register_at_fork(after_in_child=_breaker.cache_clear)


def reset() -> None:
    """As after a start."""
    _breaker.cache_clear()


def mail_breaker() -> Breaker:
    """The configured server's."""
    options = settings.MAILERS["default"].get("OPTIONS", {})
    return _breaker(f"smtp {options.get('host', '')}:{options.get('port', '')}")


def send_mail(*, message_id: str, to: str, subject: str, text: str, html: str) -> None:
    """Hand one letter over. Raises NotSent: certain as long as the server has not been given the letter."""
    if not settings.MAILERS:
        raise NotSent("not configured")
    breaker = mail_breaker()
    if wait := breaker.admit():
        raise NotSent(LEFT_ALONE, wait=wait, tried=False)
    headers = {"Message-ID": f"<{message_id}@{settings.HMS_BASE_DOMAIN}>", "Auto-Submitted": "auto-generated"}
    mail = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [to], headers=headers)
    if html:
        mail.attach_alternative(html, "text/html")
    try:
        with closing(mailers["default"]) as line:
            _open(line)
            _send(line, mail)
    except _InTrouble:
        breaker.failed()
        raise
    except NotSent:
        breaker.succeeded()  # it has answered
        raise
    breaker.succeeded()


def _open(line: Any) -> None:
    """Connect, and sign in. Whatever goes wrong, nobody has seen the letter."""
    try:
        line.open()
    except smtplib.SMTPResponseException as error:
        raise _refused(error) from error
    except (smtplib.SMTPException, OSError) as error:
        raise _InTrouble(type(error).__name__) from error


def _send(line: Any, mail: EmailMultiAlternatives) -> None:
    try:
        line.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise NotSent("address refused", unreachable=bool(codes) and codes <= NO_SUCH_MAILBOX) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(error) from error
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise _InTrouble(type(error).__name__, certain=False) from error  # perhaps after it had taken the letter
    except (smtplib.SMTPException, ValueError) as error:
        raise NotSent(type(error).__name__) from error


def _refused(error: smtplib.SMTPResponseException) -> NotSent:
    kind = _InTrouble if 400 <= error.smtp_code < 500 else NotSent
    return kind(f"SMTP {error.smtp_code}")
