"""What a server shows at `/metrics`, parsed."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Samples"]


class Samples:
    """Samples of one answer.

    Args:
        text: The answer.

    Attributes:
        kinds: Kind of each metric by its name, as PromQL knows it.
        help: Description of each metric, likewise.
        labels: Names of the labels of each sample's name.
    """

    def __init__(self, text: str) -> None:
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.kinds: dict[str, str] = {}
        self.help: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(text):
            name = family.name + "_total" * (family.type == "counter")
            self.kinds[name] = family.type
            self.help[name] = family.documentation
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._values, f"{key} is there twice"
                self._values[key] = sample.value
                self.labels.setdefault(sample.name, set()).update(sample.labels)

    def __len__(self) -> int:
        return len(self._values)

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of a name that have these labels, among others; 0 if there is none."""
        return sum(self._matching(name, labels))

    def values_of(self, name: str, label: str) -> set[str]:
        """Return the values that a label of a sample has."""
        return {value for found, labels in self._values if found == name for key, value in labels if key == label}

    def _matching(self, name: str, labels: dict[str, str]) -> Iterator[float]:
        for (found, own), value in self._values.items():
            if found == name and labels.items() <= dict(own).items():
                yield value
