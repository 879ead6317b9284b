"""What attacks look like where nobody writes prose. Never asked about clinical text, names, or words to search for."""

import re
from functools import lru_cache
from html import unescape
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

ODD, BLATANT = 15, 40  # points; a request of BLATANT points and more is refused
LONGEST = 2000  # characters that are looked at
DECODED = 4  # times that percent signs are decoded

ESCAPE = re.compile(r"(?:\\|%)(?:u\{?00|u00|x)([0-9a-f]{2})\}?", re.IGNORECASE)
OVERLONG = re.compile(r"%c[01]%[89a-f][0-9a-f]|%e0%[89]\w%[89a-f]\w|%u[0-9a-f]{4}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}", re.IGNORECASE)
PERCENT = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
SPACE = re.compile(r"(?:\s|/\*.{0,200}?\*/|\+)+", re.DOTALL)


class Rule(NamedTuple):
    """A name for the log, what it is worth, and the pattern, written for lower case."""

    name: str
    points: int
    pattern: re.Pattern[str]


def _rule(name: str, points: int, *alternatives: str) -> Rule:
    return Rule(name, points, re.compile("|".join(alternatives), re.DOTALL))


COMMANDS = (
    "cat|ls|id|whoami|uname|wget|curl|nc|ncat|netcat|bash|sh|zsh|ksh|python[23]?|perl|ruby|php|ping6?|nslookup|dig|host|sleep|rm|"
    "chmod|chown|echo|printf|type|dir|ipconfig|ifconfig|net|powershell|pwsh|cmd|certutil|touch|env|set|ps|kill|head|tail|sed|awk|"
    "t?ftp|ssh|scp|telnet|busybox|base64|xxd|find|grep|more|less|reboot|shutdown|timeout|mkfifo|socat|wmic|bitsadmin|nmap|pwd|w|"
    "tac|nl|od|tee|xargs|crontab|systeminfo|tasklist|ver|del|copy|start|phpinfo|system|exec"
)
RULES = (
    # SQL
    _rule(
        "sql.condition", BLATANT,
        r"""['"`)]\s*(?:or|and|xor|not|like(?! gecko)|rlike|having|where|\|\||&&)[\s'"(\d!~@-]""",
        r"""\b\d+\)*\s*(?:or|and|xor|\|\||&&)\s*[\s'"(]*[\w@]+['")]*\s*(?:=|<|>|like\b|in\b|is\b|between\b|rlike\b)""",
        r"""\b(?:or|and)\s+(?:\d+\s*=\s*\d+|true\b|false\b|not\b|exists\b|null\b)""",
    ),
    _rule("sql.union", BLATANT, r"\bunion\b.{0,20}\bselect\b", r"\border by \d", r"\bgroup by \w", r"\bhaving \d"),
    _rule(
        "sql.statement", BLATANT,
        r"""[;'")]\s*(?:select|insert|update|delete|drop|alter|create|truncate|exec|execute|declare|grant|shutdown|copy|merge|call)\b(?!-)""",
        r"\b(?:drop|alter|truncate|create) (?:table|database|schema|view|user|role|index|function)\b",
        r"\bselect\b.{1,200}\bfrom\b", r"\bselect @@", r"\binsert into\b", r"\bdelete from\b", r"\bupdate \w+ set\b",
        r"\binto (?:out|dump)file\b", r"\bprocedure analyse\b", r"\bwaitfor delay\b", r"\bselect (?:null|\d|version|user|sleep|pg_|\()",
    ),
    _rule(
        "sql.function", BLATANT,
        r"\b(?:sleep|benchmark|pg_sleep|extractvalue|updatexml|load_file|load_extension|lo_import|pg_read_file|query_to_xml|"
        r"randomblob|group_concat|char|chr|ascii|substring|substr|mid|unhex|sqlite_version|current_setting|dbms_\w+\.\w+|utl_\w+\.\w+|"
        r"make_set|elt|row_count|json_keys|exp|cast|convert|concat|concat_ws|version|database|length|xp_\w+|sp_\w+) ?\(",
        r"\bxp_cmdshell\b", r"information_schema|pg_catalog|sqlite_master|sysobjects|pg_shadow|mysql\.user|all_tables|pg_user\b",
    ),
    _rule("sql.comment", ODD, r"""['")\d]\s*(?:--[\s-]*$|#\s*$|/\*|;\s*--)""", r"""^['"`]+\s*[;)]*$""", r"""\w['"]\s*\|\|\s*['"]"""),
    _rule("sql.ending", ODD, r"""'\)*\s*(?:--|#|/\*)""", r"""^'\W*'$"""),
    _rule("sql.quote", ODD, r"""^[\w-]*['"`\\][)"'\s]*(?:--|#|;|=|$)""", r"""'\s*[=+|<>*^%]\s*'"""),
    # Scripts
    _rule("xss.tag", BLATANT, r"<\s*[a-z!/?%]", r"&lt;?\s*/?[a-z]", r"<\W{0,10}(?:script|img|svg|iframe)"),
    _rule("xss.handler", BLATANT, r"\bon(?!line\b|ly\b|ce\b)[a-z]{3,24}\s*=", r"\bformaction\s*=", r"\bsrcdoc\s*=", r"\bautofocus\b"),
    _rule(
        "xss.scheme", BLATANT,
        r"j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t\s*:", r"(?:vb|live|j)script\s*:", r"data\s*:\s*(?:text|image/svg|application)",
    ),
    _rule(
        "xss.code", BLATANT,
        r"\b(?:alert|prompt|confirm|eval|atob|settimeout|setinterval|function|fetch|import|print|constructor)\s*(?:\(|`)",
        r"\b(?:document|window|self|top|globalthis)\s*(?:\.|\[)\s*[\w'\"]", r"\bfromcharcode\b", r"\bexpression\s*\(", r"-moz-binding",
        r"""["']\s*[-+;]\s*\w+\s*\(""", r"""^["']?\s*>""", r"\blocalstorage\b",
    ),
    # Files
    _rule("traversal", BLATANT, r"(?:^|[/\\=:;.])\.{2,}(?:[/\\;]|$)", r"\.\.(?:/|\\|;|%)", r"\.{2,}[/\\]{1,}", r"/\.(?:/|;)"),
    _rule(
        "traversal.file", BLATANT,
        r"/etc/(?:passwd|shadow|hosts|group|issue|ssh|crontab|nginx|apache2|mysql|kubernetes)", r"/proc/(?:self|\d|version|net)",
        r"\b(?:boot|win|system|php)\.ini\b", r"windows[/\\](?:system32|win\.ini|temp)", r"\b(?:web|meta)-inf\b", r"/var/(?:log|www|run|lib)/",
        r"\.ssh\b", r"\bid_rsa\b", r"\b[c-f]:[/\\]", r"^\\\\[\w.-]+\\", r"/dev/(?:tcp|null|random|zero|stdin|fd)", r"\bwp-config\b",
        r"/roo[t]/", r"/hom[e]/\w+/", r"\bweb\.config\b", r"\.ht(?:access|passwd)\b", r"\.(?:aws|docker|kube|bash_history|npmrc|netrc)\b",
    ),
    _rule("scheme", BLATANT, r"\b(?:php|file|expect|phar|zip|glob|gopher|dict|ldaps?|ftps?|tftp|jar|netdoc|sftp|smb|rmi|iiop|corba|nis|"
          r"ogg|ssh2|compress\.\w+)\s*:\s*/{1,3}", r"\bjar:\w"),
    _rule("scheme.short", BLATANT, r"\bphp:\w", r"\b(?:file|dict|gopher):"),
    # Commands and templates
    _rule(
        "command.chain", BLATANT,
        rf"(?:[;|&`\n]|\$\(|^)\s*(?:/(?:usr/)?(?:local/)?s?bin/)?(?:{COMMANDS})(?:\.exe)?(?:\s+[\w/\\.'\"$*~<>-]|\s*[;|&`)]|\s*$)(?<!^id)(?<!^w)",
        r"[;|&]{1,2}\s*\w+\s*$", r"\|\s*/?\w+", r"^=\s*\w+\s*[|(+]", r"^[=+@-][a-z]\w*\(",
    ),
    _rule("command.piped", BLATANT, r"[|&`]\s*(?:nslookup|sleep|ping6?|whoami|uname|wget|curl|ncat|bash)\s+[-\w./]",
          r";\s*(?:nslookup|sleep|whoami|uname)\s+\S"),
    _rule(
        "command", BLATANT,
        rf"[;|&`]\s*(?:{COMMANDS})\s+(?:-{{1,2}}\w|/\w|\$|\.\.|~|['\"<>]|https?:|\d+\s*[|&]|[\w.]+\s*[|>])",
        r"[|&]{1,2}\s*(?:id|whoami|uname|ls|dir|pwd|cat|sleep|ping|type|reboot)\b", r";\s*(?:whoami|uname|reboot|id|ls)\s*$",
        r"\$\(", r"`[^`]+`", r"\$\{?ifs\b", r"/bin/(?:ba|z|da|k|c)?sh\b", r"\bcmd(?:\.exe)?\s*/[ck]\b",
        r"\bpowershell\b(?!/\d)", r"\(\)\s*\{", r"[<>]\s*/(?:dev|etc|tmp|var)/", r"[<>]\(", r"\bwget\s+\S", r"\bcurl\s+\S", r"\bnc\s+-",
        r"\bcmd\s*\|", r"@sum\(",
    ),
    _rule(
        "template", BLATANT,
        r"\{\{.*\}\}", r"\{%.*%\}", r"\$\{", r"#\{", r"\*\{.*\}", r"%\{", r"@\(\s*\d", r"\[\[.*\]\]", r"~\{", r"\{#", r"@\{", r"\{php\}",
        r"__(?:class|globals|import|mro|subclasses|builtins|proto|init|base)__", r"#set\s*\(", r"\bt\(java", r"\bjava\.(?:lang|util|io|net)\b",
        r"\bgetruntime\b", r"\bprocessbuilder\b", r"\bclass\.(?:forname|module|classloader)", r"\bjndi\s*:", r"\bconstructor[\[.]",
        r"\{\d+\*\d+\}", r"\bfreemarker\b", r"\bself\.(?:environ|_templatereference)",
    ),
    _rule(
        "code", BLATANT,
        r"\b(?:system|exec|passthru|shell_exec|popen|proc_open|assert|phpinfo|base64_decode|call_user_func|file_get_contents|include|"
        r"require|require_once|os\.\w+|subprocess\.\w+|child_process|open|preg_replace|create_function|unserialize)\s*\(",
        r"\ballow_url_include\b", r"\bauto_prepend_file\b", r"\bro0ab", r"\baced0005", r"\bo:\d+:\"", r"!!python/", r"!ruby/", r"\bgasv",
    ),
    # Other interpreters
    _rule(
        "ldap", BLATANT,
        r"\)\s*\(\s*[|&!]", r"\(\s*[|&!]\s*\(", r"\b(?:objectclass|uid|cn|sn|mail|userpassword)\s*=\s*[*(]", r"\(\w+=\*", r"[*)(]\x00",
    ),
    _rule("ldap.part", BLATANT, r"\*\s*\)", r"\)\s*\(\s*\w+\s*[~<>]?=", r"^\*\w*\)?"),
    _rule("xpath", BLATANT, r"\bor\b.*\bname\(\)", r"/\*\[", r"\b(?:ancestor|child|descendant|following|parent)(?:-or-self)?::",
          r"^//\*?$", r"'\]"),
    _rule("xpath.function", BLATANT, r"\btext\(\)", r"\bcount\s*\(", r"\bstring-length\s*\(", r"\bdoc\s*\(", r"\bnode\(\)",
          r"\bposition\(\)"),
    _rule("nosql", BLATANT, r"\$(?:ne|gte?|lte?|where|regex|n?in|exists|n?or|and|not|expr|func|eq|size|type|elemmatch)\b",
          r"\bthis\.\w+\s*(?:[=!.<>]|$)", r"['\"]\s*;\s*return\b", r";\s*while\s*\(", r"\bdb\.\w+\.\w+\("),
    # Where a server would be led. Addresses of a house's own network are no attack in a header: Host, Referer, X-Forwarded-*.
    _rule(
        "ssrf", BLATANT,
        r"\bhttps?:[/\\]*[^\s/;,()]*@", r"\b169\.254\.169\.254\b", r"metadata\.google|instance-data|metadata\.azure|100\.100\.100\.200",
        r"\bhttps?:[/\\]*(?:0x|0[0-7]{3}|\d{8,10}\b|127\d)", r"\.(?:burpcollaborator\.net|oastify\.com|oast\.\w+|interact\.sh|requestbin\.\w+)\b",
        r"\bkubernetes\.default\b", r"/latest/meta-data",
    ),
    _rule(
        "ssrf.inside", BLATANT,
        r"\b169\.254\.\d", r"\bhttps?:[/\\]*(?:127\.|0\.|0/|0:|localhost|10\.\d|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[)",
        r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::\d?\])(?::\d+|/|$)", r"\.(?:nip\.io|xip\.io|sslip\.io|localtest\.me|ngrok\.io)\b",
        r"^0x[0-9a-f]{8}$",
    ),
    _rule("url", ODD, r"^\s*(?:https?:)?[/\\]{2,}[\w@]", r"^\s*https?:", r"\bwww\.\w+\."),
    _rule("url.odd", ODD, r"^\s*(?:/\\|\\\\|//)[\w@\\]", r"^\s*https?:(?!//)"),
    # What a header or a format could be broken with
    _rule("header", BLATANT, r"\b(?:set-cookie|content-(?:type|length|disposition)|transfer-encoding|bcc)\s*:\s*\S"),
    _rule("field", BLATANT, r"\b(?:location|x-[a-z-]{3,30}|cc|to|subject|host)\s*:\s*\S", r"\bhttp/[12]\.\d\b"),
    _rule("format", ODD, r"(?:%\d*\$?[nsxpd]){3,}", r"%n%", r"a{200,}"),
)  # fmt: skip
CONTROL = _rule("control", BLATANT, r"[\x00-\x08\x0a-\x1f\x7f]", r"[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
# What is usual in a header: addresses, names of products and hosts, lists of stars, remarks in brackets.
NOT_IN_HEADERS = frozenset(
    {"sql.comment", "sql.quote", "scheme.short", "command.chain", "ldap.part", "xpath.function", "ssrf.inside", "url", "field"}
)
OF_HEADERS = tuple(rule for rule in RULES if rule.name not in NOT_IN_HEADERS)
REMARK = re.compile(r"(?<=\w) +(?=\()")  # "Version (17)" calls nothing

IDENTIFIER = re.compile(r"[\w.,:@=+~ -]*")  # what ids, codes, dates, cursors and addresses of mail consist of
# A sealed, signed or random value, whole or in the parts of a token: long, and without anything that an interpreter reads. Objects
# of Java are written so too, and begin with the same letters always.
SEALED = re.compile(
    r"(?!ro0ab|aced0005)(?:[a-z0-9_-]{16,}={0,2}|[a-z0-9_-]{4,}[.:](?:[a-z0-9_-]{4,}[.:])?[a-z0-9_-]{27,})", re.IGNORECASE
)
UNUSUAL = re.compile(r"\.\.|--|[ =]|::|__|^[.=+@-]|169\.254|0x|localhost|https?:|class\.", re.IGNORECASE)


class Found(NamedTuple):
    """Points, and the names of the rules that gave them."""

    points: int = 0
    names: tuple[str, ...] = ()


NOTHING = Found()


def decoded(text: str) -> tuple[str, bool]:
    """The text as an interpreter behind several decoders would see it, in lower case; and whether it hid itself strangely."""
    hidden = OVERLONG.search(text) is not None
    for _ in range(DECODED):
        if not PERCENT.search(text):
            break
        text = unquote(text)
    text = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return normalize("NFKC", unescape(text)).lower(), hidden


@lru_cache(maxsize=2048)
def in_identifier(text: str) -> Found:
    """What is suspicious in a path's piece, an id, a code, a date or another value that nobody writes freely."""
    if IDENTIFIER.fullmatch(text) and (not UNUSUAL.search(text) or SEALED.fullmatch(text)):
        return NOTHING
    return _judged(text[:LONGEST], RULES)


def in_header(text: str) -> Found:
    """The same for a header that names products, languages or addresses."""
    return _judged(REMARK.sub(" \u00b7", text[:LONGEST]), OF_HEADERS)


def _judged(text: str, rules: tuple[Rule, ...]) -> Found:
    seen, hidden = decoded(text)
    found = [CONTROL] if CONTROL.pattern.search(seen) else []
    spaced = SPACE.sub(" ", seen)
    found += [rule for rule in rules if rule.pattern.search(spaced)]
    names = tuple(rule.name for rule in found) + (("encoding",) if hidden else ())
    return Found(max([rule.points for rule in found] + [ODD * hidden]), names) if names else NOTHING
