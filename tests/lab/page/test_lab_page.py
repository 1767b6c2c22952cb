"""Every experiment, in both languages, as somebody before the page sees it: guessed, run, drawn, stepped through, kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from poise.lab import server
from poise.lab.experiments import EXPERIMENTS
from poise.lab.machine import in_words
from poise.lab.models import MODELS
from poise.lab.result import result
from poise.lab.server import LabServer
from tests.lab.languages import CHINESE
from tests.lab.page.looking import Seen, looking
from tests.lab.page.test_lab_accessibility import faults
from tests.support.browser import Browser

pytestmark = [pytest.mark.live, pytest.mark.slow]

DRAWN = {"lines": "canvas", "bars": "rect.bar", "spans": "rect.span", "lamps": ".big-lamp.lit"}
WITHOUT_CALLS = {"bound", "threads", "scaling", "footprint"}
"""They measure in bulk, and a recorder would be in the way."""
ELEVEN_AND_FOURTEEN = {
    "&": ("11 & 14 = 10", "1011 & 1110 = 1010"),
    "|": ("11 | 14 = 15", "1011 | 1110 = 1111"),
    "^": ("11 ^ 14 = 5", "1011 ^ 1110 = 101"),
    "<<": ("11 << 2 = 44", "1011 << 2 = 101100"),
    ">>": ("11 >> 2 = 2", "1011 >> 2 = 10"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_guessed_run_and_drawn(
    browser: Browser, lab: LabServer, name: str, language: str
) -> None:
    experiment = EXPERIMENTS[name]
    with looking(browser, lab, name, language) as seen:
        assert seen.text("h1") == experiment.question.said(language)
        assert seen.js("document.querySelector('#start').disabled")  # first the guess
        assert seen.count("#see, #learn") == 0
        assert experiment.takeaway.said(language) not in seen.text("body")
        right = [choice.right for choice in experiment.choices].index(True)
        assert seen.run(right) == "done"
        seen.drawn()
        outcome = seen.js("document.querySelector('.experiment').dataset.outcome")
        assert outcome in ("shown", "not shown")  # a busy machine may spoil the numbers, but not the page
        if outcome == "shown":
            assert experiment.right.text.said(language) in seen.text(".verdict")
        kind = seen.js("document.querySelector('.figure').className").removeprefix("figure figure-")
        assert seen.count(f".figure {DRAWN[kind]}") > 0
        assert experiment.takeaway.said(language) in seen.text("#learn")
        assert seen.text("#predict [data-answer=right]").startswith(str(right + 1))
        assert seen.count("#motion") == (name not in WITHOUT_CALLS)
        if name not in WITHOUT_CALLS:
            steps_through(seen)
        if language == "zh":
            assert not left_in_english(seen)
        else:
            assert seriously_wrong(seen) == []


def seriously_wrong(seen: Seen) -> list[str]:
    """What axe-core finds on the page with all of it opened; nothing where it cannot be had, which its own tests tell."""
    seen.js("document.querySelectorAll('details').forEach(each => each.open = true)")
    try:
        return faults(seen)
    except pytest.skip.Exception:
        return []


def steps_through(seen: Seen) -> None:
    """Forwards and backwards, by buttons and by keys, and the same moment looks the same each time."""
    look = "document.querySelector('.stages').textContent"
    first = seen.js(look)
    seen.js("document.querySelector('.film-forward').click()")
    second = seen.js(look)
    seen.js("document.activeElement.blur()")
    seen.page.press("ArrowLeft")
    assert seen.js(look) == first
    seen.page.press("ArrowRight")
    assert seen.js(look) == second
    last = int(seen.js("document.querySelector('.film-slider').max"))
    assert seen.count(".cut") == last + 1
    for place in {0, last // 2, last}:
        seen.js(
            f"(() => {{ const s = document.querySelector('.film-slider'); s.value = {place}; s.dispatchEvent(new Event('input')); }})()"
        )
        assert seen.text(".call")
        assert seen.js("document.querySelector('.film-slider').getAttribute('aria-valuetext')")


def left_in_english(seen: Seen) -> list[str]:
    """Headings and labels that are not in Chinese."""
    texts: list[str] = seen.js(
        "[...document.querySelectorAll('h2, h3, legend, summary')].map(e => e.textContent)"
    )
    technical = {model.title.zh for model in MODELS.values()}
    return [text for text in texts if not CHINESE.search(text) and text.split("：")[0] not in technical]


def test_two_models_side_by_side_keep_one_clock(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "silent") as seen:
        seen.js(
            "['blocking', 'select'].forEach(name => document.querySelector(`[data-model=${name}]`).click())"
        )
        assert seen.run(2) == "done"
        assert seen.count(".stage") == 2
        # While the blocking server is inside recv() of the one who says nothing, the other has served all five.
        seen.js(
            """(() => {
              const slider = document.querySelector('.film-slider');
              for (let place = 0; place <= Number(slider.max); place++) {
                slider.value = place;
                slider.dispatchEvent(new Event('input'));
                const [one, other] = document.querySelectorAll('.stage');
                if (one.querySelector('.is-inside .inside')?.textContent.includes('recv') && other.querySelectorAll('.thing').length > 5) return;
              }
            })()"""
        )
        assert "recv" in seen.text(".stage:first-child .is-inside")
        assert "recv(" in seen.text(".stage:first-child [aria-current=step].line")
        assert seen.count(".stage:last-child .thing") > 5


def test_the_line_that_was_changed_is_shown_and_both_programs_can_be_watched(
    browser: Browser, lab: LabServer
) -> None:
    with looking(browser, lab, "writable") as seen:
        assert seen.run() == "done"
        assert "wlist" in seen.text("#change .was")
        assert "wlist = list(clients)" in seen.text("#change .is-new")
        seen.js("document.querySelector('#change p button').click()")
        assert seen.count(".stage") == 2
        # In the changed one OUT is lit, in vain: the same answer again and again.
        seen.js(
            "(() => { const s = document.querySelector('.film-slider'); s.value = s.max; s.dispatchEvent(new Event('input')); })()"
        )
        assert seen.count(".cut") > 10


def test_what_a_run_leaves_can_be_kept(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "stream") as seen:
        assert seen.run() == "done"
        kept: dict[str, str] = seen.js(
            """(async () => {
              const kept = {}, blobs = [];
              URL.createObjectURL = blob => { blobs.push(blob); return "#"; };
              HTMLAnchorElement.prototype.click = function () { kept[this.download] = blobs.at(-1); };
              document.querySelectorAll('[data-file]').forEach(e => e.click());
              for (const name of Object.keys(kept)) kept[name] = await kept[name].text();
              return kept;
            })()"""
        )
    assert sorted(kept) == ["stream.json", "stream.svg", "stream.trace.json"]
    found = json.loads(kept["stream.json"])
    assert (found["format"], found["experiment"]) == ("poise-lab-1", "stream")
    assert in_words(found["machine"]) in kept["stream.svg"]
    assert len(json.loads(kept["stream.trace.json"])["traceEvents"]) > len(found["events"])


def test_what_cannot_be_shown_here_is_said(
    browser: Browser, lab: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = {"en": "This system has none.", "zh": "这个系统没有。"}
    experiment = EXPERIMENTS["edge"]

    def cannot(*_: object, prediction: str | None, **__: object) -> Iterator[dict[str, Any]]:
        kept = {"events": [], "left_out": 0, "records": None, "text": reason}
        job = {"models": [], "seed": 1}
        made = result(experiment, job, kept, prediction=prediction, failed=None, began=0.0, seconds=0.1)
        yield {"kind": "cannot", "text": reason}
        yield {"kind": "result", "result": made}

    monkeypatch.setattr(server, "running", cannot)
    with looking(browser, lab, "edge") as seen:
        assert seen.run() == "done"
        assert seen.text(".verdict") == reason["en"]
        assert seen.count(".figure, #motion, .claims") == 0
        assert experiment.takeaway.en in seen.text("#learn")
        assert seen.count("[data-answer]") == 0  # nothing was seen, so nobody was wrong


def test_a_run_can_be_stopped_and_another_one_started(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "timeout") as seen:
        seen.js("document.querySelector('#predict input').click()")
        seen.page.click("#start")
        seen.until("Number(document.querySelector('progress').value) > 0")
        seen.page.click("#halt")
        seen.until("document.querySelector('.starting').dataset.status === 'idle'")
        assert seen.count("#see") == 0
        seen.js("location.hash = location.hash.split('/')[0] + '/masks'")
        seen.until("document.body.dataset.view === 'masks'")
        assert seen.run() == "done"


def test_going_elsewhere_ends_the_run(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "timeout") as seen:
        seen.js("document.querySelector('.plainly').click()")
        seen.until("Number(document.querySelector('progress').value) > 0")
        seen.js("location.hash = location.hash.split('/')[0] + '/stream'")
        seen.until("document.body.dataset.view === 'stream'")
        assert seen.run() == "done"  # which it would not be while another one goes on


def test_a_lab_that_has_gone_is_said(browser: Browser) -> None:
    lab = LabServer()
    try:
        with looking(browser, lab, "timeout") as seen:
            seen.js("document.querySelector('.plainly').click()")
            seen.until("Number(document.querySelector('progress').value) > 0")
            lab.close()
            seen.until("document.querySelector('.starting').dataset.status === 'refused'")
            assert "poise lab" in seen.text(".progress-said")
            seen.page.complaints.clear()  # of the browser, about the connection
    finally:
        lab.close()


def test_without_the_token_nothing_runs_and_that_is_said(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "masks") as seen:
        seen.js("location.hash = '#wrong/masks'")
        assert seen.run() == "refused"
        assert "token" in seen.text(".progress-said")
        seen.page.complaints.clear()  # of the browser, about the status


def test_the_contents_have_all_experiments_and_all_rows(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab) as seen:
        links = seen.js("[...document.querySelectorAll('.item > a')].map(e => e.hash.split('/')[1])")
        assert links == list(EXPERIMENTS)
        assert seen.count(".rows tbody tr") == 20
        assert seen.js(
            "[...document.querySelectorAll('.rows tbody tr')].every(e => e.querySelector('a, code'))"
        )
        seen.page.click(".item > a")
        seen.until(f"document.body.dataset.view === {json.dumps(next(iter(EXPERIMENTS)))}")
        assert seen.js("document.activeElement.tagName") == "H1"


def test_who_was_right_is_remembered_in_the_contents(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "masks") as seen:
        right = [choice.right for choice in EXPERIMENTS["masks"].choices].index(True)
        assert seen.run(right) == "done"
        seen.js("location.hash = location.hash.split('/')[0]")
        seen.until("document.body.dataset.view === 'contents'")
        assert seen.count(".done-right") == 1


@pytest.mark.parametrize("sign", ELEVEN_AND_FOURTEEN)
def test_the_calculator_begins_with_11_and_14(browser: Browser, lab: LabServer, sign: str) -> None:
    expression, binary = ELEVEN_AND_FOURTEEN[sign]
    with looking(browser, lab, "masks") as seen:
        seen.js(f"document.querySelector('[data-sign={json.dumps(sign)}]').click()")
        assert seen.text(".expression") == expression
        assert binary in seen.text(".rule")


def test_a_lamp_of_the_calculator_is_a_switch(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "masks") as seen:
        seen.page.click(".row-a td:last-child button")  # the bit 1 of 11
        assert seen.text(".expression") == "10 & 14 = 10"
        seen.js(
            "(() => { const i = document.querySelector('.row-b input'); i.value = 3; i.dispatchEvent(new Event('input')); })()"
        )
        assert seen.text(".expression") == "10 & 3 = 2"
        assert "POLLPRI" in seen.text(".mask-names")


def test_the_keys_guess_run_play_and_go_on(browser: Browser, lab: LabServer) -> None:
    names = list(EXPERIMENTS)
    with looking(browser, lab, "stream") as seen:
        for key in ("2", "r"):
            seen.page.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        seen.until("document.querySelector('.starting').dataset.status === 'done'")
        assert seen.js("document.querySelectorAll('#predict input')[1].checked")
        seen.js("document.activeElement.blur()")
        seen.page.press(" ")
        seen.until("Number(document.querySelector('.film-slider').value) > 0")
        seen.page.press(" ")
        seen.page.call("Input.dispatchKeyEvent", type="keyDown", key="n", text="n")
        seen.until(f"document.body.dataset.view === {json.dumps(names[names.index('stream') + 1])}")


def test_changing_the_language_keeps_what_was_run(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "stream") as seen:
        assert seen.run() == "done"
        seen.js("document.querySelector('.film-forward').click()")
        place = seen.js("document.querySelector('.film-slider').value")
        seen.speak("zh")
        assert EXPERIMENTS["stream"].takeaway.zh in seen.text("#learn")
        assert seen.js("document.querySelector('.film-slider').value") == place
        assert seen.js("document.documentElement.lang") == "zh-Hans"


def test_the_line_that_runs_can_be_seen(browser: Browser, lab: LabServer) -> None:
    visible = """(() => {
      const frame = document.querySelector('.stage .listing').getBoundingClientRect();
      const line = document.querySelector('.stage .line[aria-current]').getBoundingClientRect();
      return line.top >= frame.top && line.bottom <= frame.bottom;
    })()"""
    with looking(browser, lab, "steps") as seen:
        assert seen.run() == "done"
        assert seen.js(visible)
        for _ in range(6):
            seen.js("document.querySelector('.film-forward').click()")
            assert seen.js(visible)
        seen.speak("zh")
        assert seen.js(visible)
        assert "# 2. 提交：程序在这里睡下" in seen.text(".stage .listing")


LIT_IN_SIGHT = """(() => {
  const frame = document.querySelector('.stage .listing').getBoundingClientRect();
  const line = document.querySelector('.stage .line[aria-current]').getBoundingClientRect();
  const dock = document.querySelector('.film-dock').getBoundingClientRect();
  return line.top >= Math.max(frame.top, 0) && line.bottom <= Math.min(frame.bottom, dock.top, innerHeight);
})()"""


def test_the_line_that_runs_stays_in_sight_when_all_grows(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "steps") as seen:
        assert seen.run() == "done"
        for _ in range(3):
            seen.js("document.querySelector('.film-turn').click()")
        seen.js("document.querySelector('.stage').scrollIntoView({block: 'start', behavior: 'instant'})")
        assert seen.js(LIT_IN_SIGHT)
        for _ in range(2):  # there and back
            seen.page.call("Input.dispatchKeyEvent", type="keyDown", key="p", text="p")
            seen.drawn()
            assert seen.js(LIT_IN_SIGHT)


def test_the_links_of_the_notes_have_room(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab) as seen:
        for language in ("en", "zh"):
            seen.speak(language)
            lines = seen.js(
                "[...document.querySelectorAll('.row-links a')].map(e => e.getClientRects().length)"
            )
            assert len(lines) > 20
            assert set(lines) == {1}


def test_a_server_that_took_no_part_is_not_spoken_of(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "silent") as seen:
        seen.js("document.querySelector('[data-model=select]').click()")
        assert seen.run(2) == "done"
        right = EXPERIMENTS["silent"].right.text.en
        assert right not in seen.text(".verdict")
        assert "blocking" in seen.text(".verdict")
        assert seen.count("[data-answer]") == 0


def test_who_held_the_loop_is_named_with_its_stack(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "hold") as seen:
        assert seen.run() == "done"
        stack = seen.text(".noted")
        assert stack.splitlines()[0].startswith("by_select.py:")
        assert re.search(r"Working\.line_received +compute\(self\._milliseconds\)", stack)
        assert seen.count(".note") == 2
        # Slow motion begins with the server that is held longest.
        assert seen.js("document.querySelector('.motion select').value") == "select, 200 ms"
        assert seen.count(".cut-busy") >= 1


def test_without_calls_there_is_no_trace_to_keep(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "threads") as seen:
        assert seen.run() == "done"
        assert seen.js("[...document.querySelectorAll('[data-file]')].map(e => e.dataset.file)") == [
            "threads.json",
            "threads.svg",
        ]
        assert "0 calls" not in seen.text("#keep")


@pytest.mark.parametrize("place", ["", "silent", "masks", "scaling", "http", "hold"])
def test_it_fits_a_telephone_and_a_projector(browser: Browser, lab: LabServer, place: str) -> None:
    with looking(browser, lab, place) as seen:
        if place:
            assert seen.run() == "done"
        for language in ("en", "zh"):
            seen.speak(language)
            for size in ("", "projector"):
                seen.js(f"document.documentElement.dataset.size = '{size}'")
                for width, height in ((360, 740), (1280, 720), (3840, 2160)):
                    seen.page.window(width, height)
                    seen.drawn()
                    wide = seen.js("document.documentElement.scrollWidth")
                    assert wide <= width, (language, size, width, widest(seen))


def widest(seen: Seen) -> str:
    """What sticks out."""
    return str(
        seen.js(
            "[...document.querySelectorAll('main *')].filter(e => !e.parentElement.closest('.scrolls, .listing') && e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.tagName + '.' + (e.className.baseVal ?? e.className)).slice(0, 5).join(' ')"
        )
    )


def test_a_text_of_an_experiment_is_never_markup(browser: Browser, lab: LabServer) -> None:
    with looking(browser, lab, "http") as seen:
        hostile = "<img src=x onerror=document.title='bad'>"
        seen.js(
            f"import('/seeing/page/dom.js').then(m => document.body.append(m.element('p', {{id: 'hostile'}}, {json.dumps(hostile)})))"
        )
        assert seen.text("#hostile") == hostile
        assert not re.search("bad", seen.js("document.title"))
