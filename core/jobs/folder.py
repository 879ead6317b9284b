"""The broker that is a folder: kombu's, but a message is there whole or not at all."""

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """kombu makes the file where others look for messages, and then writes into it: who looks in between takes an empty one, and
    its process ends (celery/kombu#1551)."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder, name = Path(self.data_folder_out), f"{round(time.monotonic() * 1000)}_{uuid4()}"
        unfinished = folder / f"{name}.unfinished"
        try:
            unfinished.write_text(dumps(payload))  # type: ignore[no-untyped-call]
            unfinished.rename(folder / f"{name}.{queue}.msg")
        except OSError as error:
            raise ChannelError(f"No message could be left in {folder}.") from error


class Transport(filesystem.Transport):
    Channel = Channel
