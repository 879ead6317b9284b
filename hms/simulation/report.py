"""What is said of a day: what happened, how long it took, what was refused, and whether everything is true."""

from typing import Any

from hms.simulation.day import Played
from hms.simulation.invariants import INVARIANTS, MOST_TOLD


def as_json(played: Played, broken: dict[str, list[str]]) -> dict[str, Any]:
    record, plan = played.record, played.plan
    return {
        "seed": plan.seed,
        "speed": plan.speed,
        "hours": plan.hours,
        "clinics": list(plan.clinics),
        "seconds": round(played.seconds, 1),
        "latest_seconds": round(record.latest, 1),
        "requests": len(record.answers),
        "acts": dict(sorted(record.done.items())),
        "nothing_to_do": dict(sorted(record.passed.items())),
        "milliseconds": record.times(),
        "refusals": dict(sorted(record.refusals().items())),
        "events_told": {slug: len(one.listener.heard.events) for slug, one in played.clinics.items()},
        "streams_opened": {slug: one.listener.opened for slug, one in played.clinics.items()},
        "invariants": {name: broken.get(name, []) for name in INVARIANTS},
        "true": not broken,
    }


def as_text(told: dict[str, Any]) -> list[str]:
    """Of what `as_json` says."""
    clinics = len(told["clinics"])
    lines = [
        f"{clinics} clinics, {told['hours']:g} hours in {told['seconds']} s, seed {told['seed']}: {told['requests']} requests",
        f"at most {told['latest_seconds']} s behind the day's own clock",
        "",
        f"{'milliseconds':<14}{'count':>8}{'p50':>9}{'p95':>9}{'p99':>9}",
    ]
    for kind, one in told["milliseconds"].items():
        lines.append(f"{kind:<14}{one['count']:>8}{one['p50']:>9}{one['p95']:>9}{one['p99']:>9}")
    lines += ["", "What happened (and how often there was nobody or nothing for it)"]
    for act in sorted(told["acts"].keys() | told["nothing_to_do"].keys()):
        lines.append(f"{act:<14}{told['acts'].get(act, 0):>8}{told['nothing_to_do'].get(act, 0):>8}")
    lines += ["", "Refused", *(f"{count:>8}  {what}" for what, count in told["refusals"].items())]
    lines += ["", f"Streams: {sum(told['events_told'].values())} events told", ""]
    if "trouble" in told:
        was = ", ".join(one.replace("_", " ") for one in told["trouble"])
        lines.append(f"{'NOT TRUE' if told['jobs_left'] else 'true':<9} All jobs are done ({told['jobs_done']}), after: {was}")
        lines += [f"{'':<10}{line}" for line in told["jobs_left"]]
    for name, findings in told["invariants"].items():
        lines.append(f"{'NOT TRUE' if findings else 'true':<9} {INVARIANTS[name].sentence}")
        lines += [f"{'':<10}{line}" for line in findings[:MOST_TOLD]]
        if len(findings) > MOST_TOLD:
            lines.append(f"{'':<10}and {len(findings) - MOST_TOLD} more")
    return lines
