"""`python -m core.uploads.inspector`: a file on standard input, the verdict and what is kept of it on standard output.

A process of its own, which knows no secret and has limits: a file that breaks, stalls or bloats a parser, or takes it over, does
so where little else can be reached.
"""

import codecs
import importlib
import json
import os
import resource
import sys

SECONDS = 30  # of one processor
MEMORY = 1024 * 1024 * 1024  # bytes of address space: a picture of 50 million pixels is unpacked, turned and packed
LATE = ("core.uploads.rules.inspect", "pypdf.filters", "pypdf._codecs._codecs")  # pypdf imports the two when they are needed
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1", "cp437", "cp1252", "charmap", "unicode_escape")


def load() -> None:
    """All that the rules need, while files can still be opened: Pillow, pypdf and Python load much of theirs late."""
    from PIL import Image

    Image.init()
    for module in LATE:
        importlib.import_module(module)
    for encoding in ENCODINGS:
        codecs.lookup(encoding)


def limit() -> None:
    """No file, no connection, no other process; little time, little memory, behind everybody else. Nothing can raise them again."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(kind, (0, 0))


def main() -> int:
    """Writes one line of JSON, `{"kind": …}` or `{"refused": …}`, and behind it the content that is kept."""
    load()
    limit()
    from core.uploads.rules.inspect import inspect
    from core.uploads.rules.kinds import Refused

    try:
        kind, kept = inspect(sys.stdin.buffer.read())
    except Refused as refused:
        sys.stdout.buffer.write(json.dumps({"refused": refused.code}).encode() + b"\n")
        return 0
    except MemoryError:
        sys.stdout.buffer.write(json.dumps({"refused": "too_complex"}).encode() + b"\n")
        return 0
    sys.stdout.buffer.write(json.dumps({"kind": kind.content_type}).encode() + b"\n")
    sys.stdout.buffer.write(kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
