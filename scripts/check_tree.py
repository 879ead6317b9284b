"""Reads every committed file: pinned requirements, no secrets, nothing from other hosts on a page, no path of one machine."""

import re
import subprocess
import sys
from pathlib import Path

PINNED = re.compile(r"(-r \S+\.txt|[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[^\s;*]+)$")
SECRETS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b"),
    "Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}\b"),
    "API key of HMS": re.compile(r"\bhms_[0-9a-f]{32}_[0-9a-f]{40}\b"),
    "Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|Users)/[a-z][\w.-]*/|(?<![\w.])/(?:root|work)/")
LOADED_FROM_ELSEWHERE = re.compile(
    r"""(?:\b(?:src|srcset|poster|action)\s*=\s*["']|<link[^>]+href\s*=\s*["']|url\(\s*["']?|@import\s+["']|"""
    r"""\bimport\s+(?:[^'"]+\s+from\s+)?["']|\bfetch\(\s*["'])\s*(?:https?:)?//""",
    re.IGNORECASE,
)
PAGE_FILES = {".html", ".css", ".js", ".svg"}
THIRD_PARTY = ("static/vendor/",)


def main() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    wrong = [problem for path in paths if path.is_file() for problem in problems(path)]
    for problem in wrong:
        sys.stderr.write(problem + "\n")
    return 1 if wrong else 0


def problems(path: Path) -> list[str]:
    """What is wrong in one file, each as `path:line: what`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # a picture
    found = []
    for number, line in enumerate(lines, start=1):
        found += [f"{path}:{number}: {what}" for what in _wrong_with(path, line)]
    return found


def _wrong_with(path: Path, line: str) -> list[str]:
    found = [f"looks like a {name}" for name, pattern in SECRETS.items() if pattern.search(line)]
    third_party = str(path).startswith(THIRD_PARTY)
    if not third_party and MACHINE_PATH.search(line) and path.name != Path(__file__).name:
        found.append("a path that only one machine has")
    if not third_party and path.suffix in PAGE_FILES and "tests" not in path.parts and LOADED_FROM_ELSEWHERE.search(line):
        found.append("a page loads something from another host")
    if re.fullmatch(r"requirements.*\.txt", path.name) and line and not line.startswith("#") and not PINNED.match(line):
        found.append("a requirement without an exact version")
    return found


if __name__ == "__main__":
    sys.exit(main())
