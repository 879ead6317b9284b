"""How much a page may make a browser fetch. The tests weigh pages as they are sent, `manage.py asset_report` their files."""

import gzip

FIRST_VISIT = 60 * 1024  # bytes of a page and all its files, compressed, with nothing in the browser's cache
NEXT_VISIT = 15 * 1024  # of the page alone: its files are kept
REQUESTS = 8  # the page's own among them
FILES, FILE_BYTES = REQUESTS - 1, FIRST_VISIT - NEXT_VISIT  # what that leaves for files


def weight(content: bytes) -> int:
    """Bytes on the line for the poorest browser, which takes gzip alone."""
    return len(gzip.compress(content, 6))
