"""Which static files a page loads, read from its template: no page has to be rendered, so all of them can be weighed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import engines
from django.template.base import Node, NodeList, Template
from django.template.loader_tags import BlockNode, ExtendsNode, IncludeNode
from django.templatetags.static import StaticNode

from core.static_files.budgets import FILE_BYTES, FILES, weight

DRAWINGS, DRAWING_TAGS = "icons/icons.svg", {"icon", "pill"}
MODULE = re.compile(r"""import\(\s*["']\./([\w-]+\.js)["']|import\s[^"'(]*["']\./([\w-]+\.js)["']""")


@dataclass(frozen=True, slots=True)
class PageFiles:
    """What one page loads at once, and the modules that its scripts may call in `later`. The bytes are those of all of them."""

    template: str
    files: tuple[str, ...]
    later: tuple[str, ...]
    gzipped: int
    brotlied: int

    @property
    def is_over(self) -> bool:
        return len(self.files) > FILES or self.gzipped > FILE_BYTES


def pages() -> list[PageFiles]:
    """All whole pages of HMS, the heaviest first; pieces of pages and letters load nothing. No query."""
    folder = settings.BASE_DIR / "templates"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    own = [name for name in names if not name.startswith(("admin/", "drf_spectacular/"))]  # tools, on pages of other makers
    sizes: dict[str, tuple[int, int]] = {}
    found = [_page(name, files, sizes) for name in own if (files := files_of(name))]
    return sorted(found, key=lambda page: page.gzipped, reverse=True)


def files_of(name: str) -> tuple[str, ...]:
    """The files that the template and those it stands on name; none for a piece of a page."""
    template = _template(name)
    blocks: dict[str, list[BlockNode]] = {}
    while (above := _extended(template)) is not None:
        for title, block in above.blocks.items():
            blocks.setdefault(title, []).append(block)
        template = _template(str(getattr(above.parent_name, "var", "")))
    if name != template.name and not blocks:
        return ()
    if "<html" not in template.source:
        return ()
    return tuple(sorted(set(_named(template.nodelist, blocks))))


def _page(name: str, files: tuple[str, ...], sizes: dict[str, tuple[int, int]]) -> PageFiles:
    called = set[str]().union(*(_modules(one) for one in files if one.endswith(".js")))
    later = tuple(sorted(called - set(files)))
    for file in files + later:
        if file not in sizes:
            content = _content(file)
            sizes[file] = weight(content), len(brotli.compress(content))
    gzipped, brotlied = (sum(sizes[file][way] for file in files + later) for way in (0, 1))
    return PageFiles(name, files, later, gzipped, brotlied)


def _template(name: str) -> Template:
    return engines["django"].engine.get_template(name)  # type: ignore[attr-defined, no-any-return]


def _extended(template: Template) -> ExtendsNode | None:
    return next((node for node in template.nodelist if isinstance(node, ExtendsNode)), None)


def _named(nodes: NodeList, blocks: dict[str, list[BlockNode]]) -> Iterator[str]:
    """The files of these nodes, where the lowest template that fills a block wins, as in a page."""
    for node in nodes:
        if isinstance(node, StaticNode):
            yield str(node.path.var)
        elif isinstance(node, IncludeNode) and isinstance(node.template.var, str):
            yield from _named(_template(node.template.var).nodelist, {})
        elif isinstance(node, BlockNode):
            yield from _of_block(node, blocks)
        elif getattr(getattr(node, "func", None), "__name__", "") in DRAWING_TAGS:
            yield DRAWINGS
        else:
            for name in node.child_nodelists:
                if isinstance(inside := getattr(node, name, None), NodeList):
                    yield from _named(inside, blocks)


def _of_block(block: BlockNode, blocks: dict[str, list[BlockNode]]) -> Iterator[str]:
    """Of the lowest template that fills it, and of those above as far as they are taken along by block.super."""
    for level in [*blocks.get(str(block.name), []), block]:
        yield from _named(level.nodelist, blocks)
        if "block.super" not in _source(level):
            break


def _source(block: Node) -> str:
    return "".join(str(getattr(node, "filter_expression", "")) for node in block.get_nodes_by_type(Node))


def _modules(script: str) -> set[str]:
    """The modules that this one may call in, of the same folder."""
    folder = script.rpartition("/")[0]
    called = {f"{folder}/{match[1] or match[2]}" for match in MODULE.finditer(_content(script).decode())}
    return called.union(*(_modules(one) for one in called))


def _content(name: str) -> bytes:
    """As it is served: style sheets with what they import in its place."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(name)
    content = Path(found).read_bytes()
    imported = re.findall(r'@import "([\w./-]+)"', content.decode()) if name.endswith(".css") else []
    folder = name.rpartition("/")[0]
    return b"".join([content, *(_content(f"{folder}/{one}") for one in imported)])
