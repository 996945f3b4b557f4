"""The dashboard and the alerts against what a server really shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from ppocr_serving.engines import Runtime
from ppocr_serving.models import ROLES
from ppocr_serving.reading.specs import models_in_use
from ppocr_serving.settings import ServerSettings
from ppocr_serving.web.app import Application
from tests.asgi import ask
from tests.conftest import settings_for
from tests.deploy.manifests import DEPLOY, ROOT, container_of, read_overlay, read_yaml
from tests.exposition import Samples
from tests.served.samples import as_base64, line
from tests.web.reading_pool import reading

FOLDER = DEPLOY / "observability"
DOCUMENT = ROOT / "docs" / "observability.md"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES = [rule for group in read_yaml(FOLDER / "alerts.yaml")["groups"] for rule in group["rules"]]
SCRAPE = read_yaml(FOLDER / "prometheus.yaml")

BY_PROMETHEUS = {"up", "job", "instance"}
"""The metric and the labels that Prometheus adds."""
DURATION = re.compile(r"(\d+(ms|s|m|h|d))+")
GRAFANAS = {"$__rate_interval": "5m"}
"""Variables of Grafana that stand for what is no text in PromQL."""


def queries() -> Iterator[tuple[str, str]]:
    """Return every expression, of the documentation too, with the name of what it is for."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for variable, value in GRAFANAS.items():
                expression = expression.replace(variable, value)
            yield f"{panel['title']} {target['refId']}", expression
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for trigger in read_overlay("queue")["ScaledObject"]["spec"]["triggers"]:
        yield "autoscaling by the queue", trigger["metadata"]["query"]
    yield from re.findall(r"^\| ([^|]+) \| `([^`]+\))` \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)


QUERIES = dict(queries())


class Use:
    """What an expression uses.

    Attributes:
        selectors: Name of each metric, with what is asked of its labels.
        grouped: Labels that results are grouped by.
    """

    def __init__(self, expression: str) -> None:
        self.selectors: list[tuple[str, list[promql_parser.Matcher]]] = []
        self.grouped: set[str] = set()
        promql_parser.walk(promql_parser.parse(expression), self._visit)

    def _visit(self, node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name is not None
            self.selectors.append((node.name, list(node.matchers.matchers)))
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            self.grouped |= set(node.modifier.labels)
        return True


def missing(query: str, shown: Samples) -> list[str]:
    """Return the metrics, labels and values of labels in a query that the server does not show."""
    use = Use(query)
    assert use.selectors
    known, found = set(BY_PROMETHEUS), []
    for metric, matchers in use.selectors:
        known |= shown.labels.get(metric, set())
        if metric not in shown.labels and metric not in BY_PROMETHEUS:
            found.append(metric)
            continue
        for matcher in matchers:
            if matcher.name not in shown.labels.get(metric, set()) | BY_PROMETHEUS:
                found.append(matcher.name)
            elif matcher.name in ("reason", "process"):
                found += set(matcher.value.split("|")) - shown.values_of(metric, matcher.name)
    return [*found, *(use.grouped - known)]


@pytest.fixture(scope="module")
def shown() -> Iterator[Samples]:
    """What a server shows after a few requests, one of which fails."""
    settings = settings_for(Runtime.OPENVINO)
    with reading({"ocr_system": settings}, ServerSettings()) as client:
        models = (models_in_use(settings, ROLES),)
        application: Application = client.application(ServerSettings(), models)
        for picture in (as_base64(line("Hello World")), "no picture"):
            body = json.dumps({"images": [picture]}).encode()
            client.post(application, "/predict/ocr_system", body, content_type="application/json")
        answer = client.run(ask(application, "GET", "/metrics"))
        assert answer is not None
        yield Samples(answer.body.decode())


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_what_is_there(name: str, shown: Samples) -> None:
    assert missing(QUERIES[name], shown) == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("rate(ppocr_request_total[5m])", "ppocr_request_total"),
        ('sum(ppocr_ready) / rate(ppocr_requests_total{dor="predict"}[5m]) > 1', "dor"),
        ("sum by (dor) (ppocr_requests_total)", "dor"),
        ('ppocr_refused_total{reason=~"overloaded|overlooked"}', "overlooked"),
    ],
)
def test_a_query_for_what_is_not_there_is_noticed(query: str, what: str, shown: Samples) -> None:
    assert missing(query, shown) == [what]


def test_every_metric_is_on_the_dashboard_or_in_an_alert(shown: Samples) -> None:
    used = {metric for query in QUERIES.values() for metric, _ in Use(query).selectors}
    parts = ("", "_sum", "_count", "_bucket")
    # How many processes there are, and were, says little beside how many have ended.
    left_out = {"ppocr_pictures_total", "ppocr_pixels_total", "ppocr_workers", "ppocr_workers_started_total"}
    assert {name for name in shown.kinds if not {name + part for part in parts} & used} == left_out


def test_counters_are_only_looked_at_as_rates() -> None:
    for name, query in QUERIES.items():
        for metric, _ in Use(query).selectors:
            if metric.endswith(("_total", "_sum", "_count", "_bucket")):
                assert re.search(rf"(rate|increase)\({metric}[{{\[]", query), name


def test_alerts_are_complete() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert DURATION.fullmatch(rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        grouped = Use(rule["expr"]).grouped
        assert not grouped or "instance" in grouped, "the summary names it"
        for text in rule["annotations"].values():
            assert re.sub(r"\{\{ \$(labels\.instance|value)( \| \w+)? \}\}", "", text).isascii()
            assert "{{" not in re.sub(r"\{\{ \$(labels\.instance|value)( \| \w+)? \}\}", "", text)


def test_the_alert_for_a_server_out_of_reach_names_its_job() -> None:
    (job,) = SCRAPE["scrape_configs"]
    assert SCRAPE["rule_files"] == ["alerts.yaml"]
    assert f'up{{job="{job["job_name"]}"}}' in QUERIES["PpocrDown"]
    assert job["metrics_path"] == "/metrics"
    assert job.keys() == {"job_name", "metrics_path", "static_configs"}


def test_the_example_with_a_key_is_valid_without_its_comment_signs() -> None:
    text = (FOLDER / "prometheus.yaml").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(re.sub(r"^    # (?=authorization|  )", "    ", text, flags=re.M))["scrape_configs"]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": "/etc/prometheus/ppocr-key"}


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["id"] is None, "Grafana numbers it"
    assert DASHBOARD["schemaVersion"] >= 39
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] in {"stat", "timeseries", "table"}
        assert panel["title"]
        assert panel["description"]
        references = [target["refId"] for target in panel["targets"]]
        assert references == sorted(set(references))
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_covers_another_one() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_variables_of_the_dashboard_are_defined_and_used() -> None:
    defined = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(DASHBOARD["panels"])))
    assert used == defined
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            expression, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            assert [metric for metric, _ in Use(expression).selectors] == ["ppocr_ready"]
            assert label in BY_PROMETHEUS


def test_pods_say_where_their_metrics_are() -> None:
    deployment = read_overlay("lean")["Deployment"]
    (port,) = container_of(deployment)["ports"]
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(port["containerPort"]),
        "prometheus.io/path": "/metrics",
    }
