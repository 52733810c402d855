"""Reads what is given out, as a scraper does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from authsvc.metrics import Metrics


@dataclass(frozen=True)
class Scrape:
    """The samples of one moment, by their name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def __call__(self, name: str, **labels: str) -> float:
        """One sample; fails when there is none."""
        return self.samples[name, frozenset(labels.items())]

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label of one metric has."""
        return {dict(labels)[label] for found, labels in self.samples if found == name and label in dict(labels)}

    def positive(self, name: str, label: str) -> dict[str, float]:
        """The samples of one metric that are not 0, by one label."""
        return {
            dict(labels)[label]: value for (found, labels), value in self.samples.items() if found == name and value
        }


def scrape(metrics: Metrics) -> Scrape:
    """Everything that is given out now."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    found = [
        (sample.name, frozenset(sample.labels.items()), sample.value) for one in families for sample in one.samples
    ]
    by_key = {(name, labels): value for name, labels, value in found}
    assert len(by_key) == len(found), "no sample is there twice"
    return Scrape(by_key)
