"""Every experiment runs unattended, and what it claims is so; figure and claim come from the records of the same run."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from poise.lab import plot
from poise.lab.result import FORMAT, judged
from poise.lab.textplot import textplot
from poise.lab.trace import trace
from poise.limits.lab import LabLimits
from tests.lab.conftest import Run
from tests.lab.languages import faults

pytestmark = pytest.mark.slow

QUICK = 18.0  # seconds: under the bound, on a very busy machine too


def test_it_shows_what_it_claims(run: Run) -> None:
    found = run.result
    if found["outcome"] == "cannot":
        pytest.skip(found["reason"]["en"])
    failed = [
        f"{check['text']['en']}: {check['measured']} {check['relation']} {check['bound']}"
        for check in found["claim"]
        if not check["holds"]
    ]
    said = "".join(message.get("said", "") for message in run.messages)
    assert (found["outcome"], failed) == ("shown", []), said or found["reason"]
    assert found["seconds"] < QUICK
    assert len(found["claim"]) >= 2


def test_its_messages_come_in_order_and_end_with_the_result(run: Run) -> None:
    kinds = [message["kind"] for message in run.messages]
    assert (kinds[0], kinds[-1]) == ("started", "result")
    assert kinds.count("result") == 1
    done = [message["done"] for message in run.messages if message["kind"] == "progress"]
    assert done == sorted(done)
    assert all(0 <= each <= 1 for each in done)


def test_figure_and_claim_are_made_from_its_records_alone(run: Run) -> None:
    found = json.loads(json.dumps(run.result))
    if found["records"] is None:
        pytest.skip("this machine cannot show it")
    assert found["format"] == FORMAT
    assert run.experiment.figure(found["records"]).as_json() == found["figure"]
    assert judged(run.experiment, found["records"]) == found["claim"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_figure_can_be_drawn_and_printed(run: Run, language: str) -> None:
    found = run.result
    if found["figure"] is None:
        pytest.skip("this machine cannot show it")
    drawn = plot.svg(found["figure"], language, found["machine"], found["reference"])
    root = ET.fromstring(drawn)
    texts = [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert found["figure"]["title"][language] in texts
    assert any(found["machine"]["python"] in text for text in texts)
    assert found["figure"]["title"][language] in textplot(found["figure"], language)


def test_its_events_are_whole_bounded_and_in_order(run: Run) -> None:
    events = run.result["events"]
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    for event in events:
        assert event["step"] in ("mark", "submit", "handle")
        assert event["took"] >= 0
        assert event["times"] >= 1
        assert event["line"] > 0
    for who in {event["who"] for event in events}:
        assert sum(event["who"] == who for event in events) <= LabLimits().events
    slices = [each for each in trace(run.result)["traceEvents"] if each["ph"] == "X"]
    assert len(slices) == len(events)
    json.dumps(slices)


def test_its_claim_and_its_figure_speak_both_languages(run: Run) -> None:
    assert faults({key: run.result[key] for key in ("claim", "figure", "reason")}) == []
