"""The page about observability says what there is, all of it and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from authsvc.app.observing import make_metrics
from authsvc.logs import LEVEL_NAMES, SERVER_SCOPES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "observability.md").read_text("utf-8")


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_every_metric_is_explained() -> None:
    """The table lists each metric that is given out, by the name that scrapers see."""
    metrics = make_metrics()
    metrics.calls.know(["/a.B/C"])
    families = text_string_to_metric_families(metrics.exposition().decode())
    given = [f"{one.name}_total" if one.type == "counter" else one.name for one in families]
    assert sorted(first_column("Numbers")) == sorted(given)


def test_every_label_is_named() -> None:
    """Each label of a metric stands in its row."""
    metrics = make_metrics()
    metrics.calls.know(["/a.B/C"])
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        (row,) = re.findall(rf"^\| `{name}` \|([^|]*)\|", PAGE, re.MULTILINE)
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert set(re.findall(r"`(\w+)`", row)) == labels


def test_every_action_of_the_audit_is_listed() -> None:
    """The table lists each action that a row of the audit can have; what only a log line says is not one."""
    form = re.compile(r'"([a-z_]+\.(?:[a-z]+ed|reset|made|forgotten))"')
    ours = (path for path in (ROOT / "authsvc").rglob("*.py") if "client" not in path.parts)
    code = "".join(path.read_text("utf-8") for path in ours)
    assert sorted(first_column("The audit")) == sorted(set(form.findall(code)) - {"logging.restored"})


def test_every_scope_is_explained() -> None:
    """The table lists each scope of the server, and the default; the text names each level."""
    assert sorted(first_column("Log lines")) == sorted((*SERVER_SCOPES, "default"))
    assert all(f"`{level}`" in PAGE for level in LEVEL_NAMES)
