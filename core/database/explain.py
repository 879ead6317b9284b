"""Execution plans: asked of PostgreSQL as the role and in the clinic that the statement ran for, without the values in it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from core.database.fingerprint import text_of

EXPLAINABLE = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "VALUES")  # kinds of statements
FEW_ROWS = 5000  # what reads fewer rows than this is quick, whatever its plan
DISCARDS = 10  # rows thrown away for each one kept
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$.])-?\d+(?:\.\d+)?\b")
_BY_KEY = re.compile(r"\b(clinic_id|user_id)\b|[(.\s]id = ")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with how a statement is carried out. `code` is one of sequential_scan, no_index_condition,
    discards_rows, spilled, repeated."""

    code: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a plan. `rows` and `removed` are totals over all its loops, estimated where nothing was run."""

    kind: str
    table: str
    index: str
    condition: str
    filter: str
    rows: int
    removed: int
    milliseconds: float
    blocks: int  # of 8 kB, from memory or disk, its children's included
    spilled: bool
    depth: int

    @property
    def examined(self) -> int:
        return self.rows + self.removed


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a statement, the topmost first. `analyzed`: it was run, times and rows are real."""

    nodes: tuple[Node, ...]
    analyzed: bool

    def lines(self) -> list[str]:
        """The plan as text, without any value."""
        return [_line(node, self.analyzed) for node in self.nodes]

    def findings(self, few_rows: int = FEW_ROWS) -> list[Finding]:
        """What should be planned better. Steps over fewer than `few_rows` rows are let pass."""
        guarded = guarded_tables()
        return [found for node in self.nodes for found in _findings(node, guarded, few_rows)]


def guarded_tables() -> frozenset[str]:
    """Tables whose rows are a clinic's or a person's: row-level security stands before each of them."""
    models = apps.get_models(include_auto_created=True)
    return frozenset(model._meta.db_table for model in models if getattr(model, "table_kind", "") in ("clinic", "personal"))


def explained(connection: Any, sql: Any, params: Any, *, analyze: bool) -> Plan:
    """The plan of a statement with these parameters, in the running transaction. One statement on the driver itself, not
    counted. `analyze` runs it (in a savepoint that is rolled back): for reading statements only.
    """
    options = "FORMAT JSON, ANALYZE, BUFFERS" if analyze else "FORMAT JSON"
    driver = connection.connection
    with driver.transaction(force_rollback=True):
        (said,) = driver.execute(f"EXPLAIN ({options}) {text_of(sql)}", params).fetchone()
    return plan_from(said, analyze=analyze)


def plan_from(said: Any, *, analyze: bool) -> Plan:
    """What EXPLAIN says in JSON."""
    (whole,) = json.loads(said) if isinstance(said, str) else said
    return Plan(tuple(_nodes(whole["Plan"], 0)), analyze)


def redacted(text: str) -> str:
    """A condition of a plan with `?` for every value."""
    return _LITERAL.sub("?", text)


def _nodes(said: dict[str, Any], depth: int) -> Iterator[Node]:
    loops = said.get("Actual Loops", 1)
    inner = said.get("Plans", [])
    condition = said.get("Index Cond", "")
    if said["Node Type"] == "Bitmap Heap Scan":
        condition = " ".join(_index_conditions(inner))
    yield Node(
        kind=said["Node Type"],
        table=said.get("Relation Name", ""),
        index=said.get("Index Name", ""),
        condition=redacted(condition),
        filter=redacted(" ".join(str(said[name]) for name in ("Filter", "Join Filter") if name in said)),
        rows=round(said.get("Actual Rows", said["Plan Rows"]) * loops),
        removed=round((said.get("Rows Removed by Filter", 0) + said.get("Rows Removed by Index Recheck", 0)) * loops),
        milliseconds=said.get("Actual Total Time", 0.0) * loops,
        blocks=said.get("Shared Hit Blocks", 0) + said.get("Shared Read Blocks", 0),
        spilled=said.get("Sort Space Type") == "Disk" or said.get("Hash Batches", 1) > 1,
        depth=depth,
    )
    for child in inner:
        yield from _nodes(child, depth + 1)


def _index_conditions(inner: list[dict[str, Any]]) -> Iterator[str]:
    for node in inner:
        if "Index Cond" in node:
            yield str(node["Index Cond"])
        yield from _index_conditions(node.get("Plans", []))


def _line(node: Node, analyzed: bool) -> str:
    place = f" on {node.table}" if node.table else ""
    by = f" by {node.index}" if node.index else ""
    figures = f"{node.rows} rows"
    if analyzed:
        figures += f", {node.milliseconds:.2f} ms, {node.blocks} blocks"
    if node.removed:
        figures += f", {node.removed} rows removed"
    conditions = "".join(
        f" {word}: {text}" for word, text in (("index condition", node.condition), ("filter", node.filter)) if text
    )
    return f"{'  ' * node.depth}{node.kind}{place}{by} ({figures}){conditions}"


def _findings(node: Node, guarded: frozenset[str], few_rows: int) -> Iterator[Finding]:
    if node.spilled:
        yield Finding("spilled", f"{node.kind} went to disk: it needed more than work_mem.")
    if not node.kind.endswith("Scan") or node.table not in guarded or node.examined < few_rows:
        return
    if node.kind == "Seq Scan":
        yield Finding("sequential_scan", f"Sequential scan on {node.table}: {node.examined} rows read. Filter: {node.filter}")
    elif not _BY_KEY.search(node.condition):
        message = f"{node.kind} on {node.table} by {node.index}: neither clinic nor key is in the index condition {node.condition}"
        yield Finding("no_index_condition", message)
    if node.removed > DISCARDS * max(node.rows, 1):
        yield Finding("discards_rows", f"{node.kind} on {node.table} keeps {node.rows} of {node.examined} rows. {node.filter}")
