"""The page before a person: what it shows, and what can be done with it. A headless Chromium and a made-up program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.seeing.page.fake_feed import TOKEN
from tests.seeing.page.looking import Shown, showing
from tests.seeing.page.stories import MS, STORIES, Program, told
from tests.support.browser import Browser

pytestmark = [pytest.mark.live, pytest.mark.slow]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTRAST = """
(() => {
  const part = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const mix = (colours) => { pen.clearRect(0, 0, 1, 1);
    for (const c of colours) { pen.fillStyle = c; pen.fillRect(0, 0, 1, 1); } return [...pen.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const behind = e => { const all = []; for (; e; e = e.parentElement) all.unshift(getComputedStyle(e).backgroundColor); return all; };
  const seen = e => e.checkVisibility() && !e.closest("tr.is-closed, .unseen") && !e.matches(":disabled");
  const all = [...document.querySelectorAll("body *")].filter(e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && seen(e));
  return all.map(e => { const under = behind(e), a = light(mix([...under, getComputedStyle(e).color])), b = light(mix(under));
                        return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.trim().slice(0, 40)]; })
            .sort((a, b) => a[0] - b[0])[0];
})()
"""
"""The least contrast of any text on the page with what is behind it, and that text (WCAG 2.2, 1.4.3)."""


# -- what it shows -----------------------------------------------------------------------------------------


def test_it_loads_and_asks_nobody_else(calm: Shown) -> None:
    assert "free 98 %" in calm.text("h1")
    assert calm.text("#number-turns") == "61"
    assert calm.text("#program").startswith("shop · pid 4242 · epoll · Python 3.12.4")
    origin = calm.feed.url.partition("#")[0]
    assert [url for url in calm.page.requests if not url.startswith(origin)] == []
    assert [path for path in calm.feed.asked if TOKEN in path] == []


def test_it_is_live(calm: Shown) -> None:
    before = calm.turn
    calm.program.run(1)
    calm.tell()
    assert calm.turn == calm.program.n > before
    assert f"{calm.program.n:,}" in calm.text("#dock-said")


def test_it_stays_live_while_the_loop_is_stuck_and_shows_it_growing(calm: Shown) -> None:
    seen, spoken = [], set()
    for ns in (400 * MS, 1_600 * MS, 3_000 * MS):
        calm.program.stick(12, ns)
        calm.tell()
        seen.append((calm.text("#hold-for"), calm.text("#ring strong")))
        spoken.add(calm.text("#spoken"))
    assert [each for each, _ in seen] == [
        "400 ms",
        "1.60 s",
        "3.00 s",
    ]
    assert [ring for _, ring in seen] == [each for each, _ in seen]
    assert "is stuck" in calm.text("h1")
    assert "3.00 s" in calm.text("h1")
    assert len(spoken) == 1, "a reader of screens hears it once"
    assert "Report.render" in calm.text("#hold")
    assert calm.js("document.title") == "■ shop · Poise"
    assert "/srv/shop/report.py:42" in calm.text("#hold-place")
    assert "192.0.2.14:51148" in calm.text("#hold-whom")
    assert calm.text("tr.holds .fd") == "12"
    assert "waits for the loop" in calm.text('[data-life="10.1"] .state')


def test_which_handler_is_slow_is_said_first(slow: Shown) -> None:
    assert slow.text("h1").startswith("Shop.respond held the loop for 212 ms")
    assert slow.text("#hold-function") == "Report.render"
    assert "/srv/shop/report.py:42" in slow.text("#holders-rows tr:first-child")
    slow.program.run(40)
    slow.tell()
    assert slow.js('document.getElementById("hold").hidden') is False
    slow.program.run(30)
    slow.tell()
    assert slow.js('document.getElementById("hold").hidden'), "after a minute it is over"
    assert len(slow.all("#stalls-rows > li")) == 3


def test_which_client_does_not_read_is_said_at_the_top_and_marked_in_its_row(browser: Browser) -> None:
    with showing(browser, told("unread")) as shown:
        assert "192.0.2.16:51222" in shown.text("#findings a")
        assert shown.all("tr.flagged .fd") == ["14"]
        assert shown.js('document.querySelector("tr.flagged .levels").ariaLabel').startswith("kernel in 0")
        full = shown.js(
            '[...document.querySelectorAll("tr.flagged .fill")].map(e => Number(e.getAttribute("width")))'
        )
        assert full[0] == 0
        assert full[1] == pytest.approx(100 * 11 / 16, abs=0.1)
        assert "backpressure" in shown.text("#lints-list .fix")
        assert shown.text("tr.flagged .flag") == "does not read"


def test_a_lamp_says_what_was_asked_for_and_what_was_reported(browser: Browser) -> None:
    program = told("calm")
    program.named(9).wanted, program.named(9).returned = 0x5, 0x2011
    with showing(browser, program) as shown:
        row = '[data-life="9.1"] '
        assert (
            shown.js(f"document.querySelector('{row} .lamps').ariaLabel")
            == "asked for IN | OUT; reported IN | HUP | RDHUP"
        )
        told_names = shown.js(f"[...document.querySelectorAll('{row} .lamp.told')].map(e => e.dataset.name)")
        assert told_names == ["IN", "HUP", "RDHUP"]
        asked_names = shown.js(
            f"[...document.querySelectorAll('{row} .lamp.asked')].map(e => e.dataset.name)"
        )
        assert asked_names == ["IN", "OUT"]


def test_what_comes_from_outside_is_text(browser: Browser) -> None:
    hostile = '<img src=x onerror="document.title=1">'
    program = told("calm")
    program.named(9).peer = program.named(9).what = hostile
    program.hold(9, 200 * MS)
    program.stalls[-1]["name"] = program.stalls[-1]["peer"] = hostile
    with showing(browser, program) as shown:
        assert hostile in shown.text('[data-life="9.1"]')
        assert hostile in shown.text("#stalls-rows")
        assert shown.js("document.images.length") == 0


def test_the_figures_of_strip_and_plots_are_one_click_away(calm: Shown) -> None:
    assert calm.all("#strip-figures tbody tr") == []
    calm.page.click("#strip-figures summary")
    calm.until('document.querySelectorAll("#strip-figures tbody tr").length === 300')
    assert calm.text("#strip-figures tbody td") == f"{calm.program.n:,}"
    calm.page.click("#plots summary")
    calm.until('document.querySelectorAll("#plots tbody tr").length === 30')


def test_its_own_cost_is_shown(calm: Shown) -> None:
    assert "0.4 % of one core" in calm.text("#cost-said")


# -- the wall ----------------------------------------------------------------------------------------------


def test_a_row_keeps_its_place_while_it_lives(calm: Shown) -> None:
    before = calm.rows()
    assert before[3:6] == ["8", "9", "10"]
    calm.program.close(9)
    calm.tell()
    assert calm.rows() == before, "the place of a closed one stays for a while"
    assert calm.text('[data-life="9.1"] .state') == "closed"
    calm.tell()
    calm.program.open(23)
    calm.tell()
    assert calm.rows() == ["23" if fd == "9" else fd for fd in before], "and is taken by the next"
    calm.program.named(16).held_ns += 10**12
    calm.tell()
    assert calm.rows().index("16") == before.index("16"), "nothing is sorted behind one's back"


def test_the_past_does_not_disturb_the_places_of_the_present(calm: Shown) -> None:
    before = calm.rows()
    calm.pause()
    assert "3" not in calm.rows(), "of which nothing is recorded"
    calm.page.click("#pause")
    assert calm.rows() == before


def test_rows_are_ordered_when_asked_and_filtered(calm: Shown) -> None:
    calm.program.named(16).held_ns += 10**12
    calm.tell()
    calm.page.click("[data-order=held]")
    assert calm.rows()[0] == "16"
    assert calm.js("document.querySelector('[data-sorts=held]').ariaSort") == "descending"
    calm.page.press("/")
    calm.page.click("#wall-filter")
    calm.page.type("192.0.2.1 tls")
    assert calm.rows() == []
    assert "No descriptor" in calm.text("#wall-none:not([hidden])")
    calm.js('document.getElementById("wall-filter").value = ""')
    calm.page.type("198.51")
    assert calm.rows() == ["17"]
    calm.page.press("Escape")
    assert len(calm.rows()) == 14


def test_the_pages_own_descriptor_can_be_left_out(calm: Shown) -> None:
    assert "19" in calm.rows()
    assert "this page" in calm.text('[data-life="19.1"]')
    calm.page.click("#wall-own")
    assert "19" not in calm.rows()


def test_of_many_rows_some_are_shown_and_those_that_matter_always(browser: Browser) -> None:
    program = told("calm")
    for fd in range(30, 190):
        program.open(fd)
    program.find("hog", 188, times="4", longest="60 ms")
    with showing(browser, program) as shown:
        assert len(shown.rows()) == 17
        assert shown.rows()[-1] == "188"
        shown.page.click("#wall-more")
        assert len(shown.rows()) == 174


# -- time --------------------------------------------------------------------------------------------------


def test_paused_the_page_stands_still_and_goes_back_turn_by_turn(slow: Shown) -> None:
    last = slow.program.n
    slow.pause()
    assert slow.turn == last
    slow.program.run(1)
    slow.tell()
    assert slow.turn == last
    assert slow.js("document.body.dataset.mode") == "paused"
    slow.page.click("#back")
    slow.until(f'document.getElementById("strip").ariaValueNow == {last - 1}')
    slow.page.click("#back")
    slow.page.click("#forward")
    slow.page.click("#back")
    slow.until(f'document.getElementById("strip").ariaValueNow == {last - 2}')
    assert slow.text("h1").startswith(f"Turn {last - 2:,}")
    slow.page.click("#pause")
    assert slow.js("document.body.dataset.mode") == "live"
    slow.tell()
    assert slow.turn == slow.program.n


def test_the_scrubber_leads_to_the_turn_that_was_slow(slow: Shown) -> None:
    slow.pause()
    slowest = max(slow.program.turns, key=lambda turn: int(turn[8]))
    back = slow.program.n - slowest[0]
    slow.js(
        f"""(() => {{ const scrub = document.getElementById("scrub");
                      scrub.value = Number(scrub.max) - {back}; scrub.dispatchEvent(new Event("input")); }})()"""
    )
    slow.until(f'document.getElementById("strip").ariaValueNow == {slowest[0]}')
    [call] = slow.all("#calls tr")
    assert call.startswith("+")
    assert "12 Shop.respond" in call
    assert call.endswith("212 ms")
    assert slow.all("tr.called .fd") == ["12"]
    assert slow.text("#hold-function") == "Report.render"


def test_from_a_hold_one_gets_to_its_turn(slow: Shown) -> None:
    slowest = max(slow.program.turns, key=lambda turn: int(turn[8]))
    slow.page.click("#stalls-rows > li:nth-child(2) summary")
    assert slow.all("#stalls-rows > li:nth-child(2) .stack b")[0] == "Report.render"
    slow.page.click("#stalls-rows > li:nth-child(2) button")
    slow.until(f'document.getElementById("strip").ariaValueNow == {slowest[0]}')
    slow.page.click("#pause")
    slow.program.stalls[1]["at"] = 7
    slow.feed.records = slow.program.records()
    slow.feed.records["rows"] = slow.feed.records["rows"][-50:]
    slow.page.click("#stalls-rows > li:nth-child(1) summary")
    slow.page.click("#stalls-rows > li:nth-child(1) button")
    slow.until('document.getElementById("dock-said").textContent.includes("does not reach back")')


def test_the_strip_is_walked_with_the_keys(slow: Shown) -> None:
    last = slow.program.n
    slow.js('document.getElementById("strip").focus()')
    slow.page.press("ArrowLeft")
    slow.until(f'document.getElementById("strip").ariaValueNow == {last - 1}')
    assert slow.js("document.body.dataset.mode") == "paused"
    assert "worked" in slow.js('document.getElementById("strip").ariaValueText')
    slow.page.press("ArrowLeft", "ArrowRight", "ArrowLeft")
    slow.until(f'document.getElementById("strip").ariaValueNow == {last - 2}')
    slow.page.press("Escape")
    assert slow.js("document.body.dataset.mode") == "live"


def test_a_click_on_the_strip_freezes_the_turn_under_the_pointer(slow: Shown) -> None:
    slow.page.click("#strip canvas")
    slow.until('document.body.dataset.mode === "paused"')
    middle = slow.program.n - 150
    assert abs(slow.turn - middle) <= 1
    assert slow.js('document.getElementById("strip").ariaValueMax') == str(slow.program.n), (
        "the strip stays where it was"
    )


def test_on_a_telephone_the_turn_that_was_chosen_is_in_the_strip_and_what_it_took_is_seen(
    slow: Shown,
) -> None:
    slow.page.window(360, 740)
    slow.drawn()
    slow.pause()
    fit = int(slow.js('document.querySelector("#strip canvas").dataset.turns'))
    assert fit < 300
    wanted = slow.program.n - 280
    slow.js(
        "(() => { const scrub = document.getElementById('scrub'); scrub.value = Number(scrub.max) - 280; "
        "scrub.dispatchEvent(new Event('input')); })()"
    )
    slow.until(f'document.getElementById("strip").ariaValueNow == {wanted}')
    first = int(slow.js('document.getElementById("strip").ariaValueMin'))
    assert first <= wanted < first + fit
    took = "document.querySelector('#calls tr td:last-child').getBoundingClientRect()"
    assert 0 < slow.js(f"{took}.right") <= 360
    assert slow.js("document.getElementById('cost-said').hidden"), "nobody knows what it cost then"


def test_no_name_turns_the_letters_around_it(browser: Browser) -> None:
    hostile = "a\u202eb\u2066c\x1b[2J\u200f"

    class Hostile(Program):
        def hello(self) -> dict[str, object]:
            return {**super().hello(), "program": hostile}

        def state(self) -> dict[str, Any]:
            told = super().state()
            told["verdict"] = {"id": "held", "args": {"name": hostile, "longest": "1 s", "ago": "1 s"}}
            told["holders"] = [{**each, "name": hostile} for each in told["holders"]]
            told["rows"] = [{**each, "what": hostile, "peer": hostile} for each in told["rows"]]
            told["lints"] = [{"id": hostile, "fd": 9, "gen": 1, "peer": hostile, "args": {}, "since": 0}]
            return told

    with showing(browser, Hostile(warm=2)) as shown:
        assert "a\ufffdb\ufffdc\ufffd[2J\ufffd held the loop" in shown.text("h1")
        whole = shown.js("document.title + document.documentElement.outerHTML")
        assert not {"\u202e", "\u2066", "\x1b", "\u200f"} & set(whole)


def test_an_empty_record_is_no_failure(slow: Shown) -> None:
    slow.feed.records = {**slow.program.records(), "rows": []}
    slow.page.click("#pause")
    slow.until('document.getElementById("dock-said").textContent.includes("The record is empty")')
    assert slow.js("document.body.dataset.mode") == "live"


def test_save_trace(slow: Shown, tmp_path: Path) -> None:
    slow.page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    slow.page.click("#save")
    slow.until('document.getElementById("dock-said").textContent.includes("Saved")')
    assert "/records?full" in slow.feed.asked
    name = slow.text("#dock-said").split()[2].rstrip(".")
    for _ in range(500):
        if (tmp_path / name).exists():
            break
        slow.drawn()
    trace = json.loads((tmp_path / name).read_text())
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert max(slice_["dur"] for slice_ in slices if slice_["cat"] == "call") == pytest.approx(212_000)
    assert trace["otherData"]["poise"]["rows"] == json.loads(json.dumps(slow.program.records()["rows"]))


def test_a_recording_is_shown_like_the_past_of_a_living_program(browser: Browser) -> None:
    program = told("slow")
    records = program.records()

    class Recording(Program):
        def hello(self) -> dict[str, object]:
            return {**program.hello(), "replay": True}

        def records(self) -> dict[str, object]:
            return records

    with showing(browser, Recording(), told=False) as shown:
        shown.until("document.body.dataset.shown !== undefined")
        assert shown.js("document.body.dataset.mode") == "replay"
        assert shown.turn == program.n
        assert shown.js('document.getElementById("pause").hidden')
        shown.page.press("ArrowLeft")
        shown.until(f'document.getElementById("strip").ariaValueNow == {program.n - 1}')
        assert "recording" in shown.text("#mode")


# -- the line ----------------------------------------------------------------------------------------------


def test_a_broken_line_is_taken_up_again(calm: Shown) -> None:
    calm.feed.hang_up()
    calm.until('document.body.dataset.connection === "lost"')
    assert "trying again" in calm.text("#connection:not([hidden])")
    calm.until('document.body.dataset.connection === "open"')
    calm.program.run(1)
    calm.feed.tell(calm.program.state())
    calm.until(f'document.getElementById("strip").ariaValueNow == {calm.program.n}')


def test_when_the_program_has_gone_the_page_keeps_the_last_picture_and_says_so(browser: Browser) -> None:
    with showing(browser, told("calm")) as shown:
        said = shown.text("h1")
        shown.feed.close()
        shown.until('document.body.dataset.connection === "lost"')
        assert shown.text("h1") == said
        assert "the last that came" in shown.text("#connection:not([hidden])")
        shown.page.complaints.clear()  # the browser's own, of a server that is not there


def test_without_the_token_the_page_says_what_to_do(browser: Browser) -> None:
    with showing(browser, told("calm"), told=False) as shown:
        shown.page.go("about:blank")
        shown.page.go(shown.feed.url.partition("#")[0])
        shown.until('document.body.dataset.connection === "refused"')
        assert "the address that it printed" in shown.text("#connection:not([hidden])")
        shown.page.complaints.clear()  # the browser's own, of the refusal


# -- who looks ---------------------------------------------------------------------------------------------


def test_the_language_changes_and_the_place_stays(slow: Shown) -> None:
    assert slow.js("document.documentElement.lang") == "en"
    slow.js('document.documentElement.style.overflowAnchor = "none"')  # not every browser helps
    slow.js('document.getElementById("holders").scrollIntoView({block: "start", behavior: "instant"})')
    top = 'document.getElementById("holders").getBoundingClientRect().top + 0'
    before = slow.js(top)
    slow.js("document.querySelector('[data-speak=zh]').click()")
    assert slow.js("document.documentElement.lang") == "zh-Hans"
    assert slow.text("h1").endswith("其他人只能等。")
    assert abs(slow.js(top) - before) <= 1
    slow.page.go("about:blank")
    slow.page.go(slow.feed.url)
    slow.until("document.body.dataset.shown !== undefined")
    assert slow.js("document.documentElement.lang") == "zh-Hans", "and is remembered"


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_word_is_known_in_both_languages(browser: Browser, story: str, language: str) -> None:
    with showing(browser, told(story)) as shown:
        shown.js(f"document.querySelector('[data-speak={language}]').click()")
        words = shown.js(
            "[...document.querySelectorAll('*')].flatMap(e => [e.ariaLabel, e.title, e.childElementCount ? '' : e.textContent])"
        )
        unknown = ("page.", "verdict.", "state.", "lint.", "kind.")
        assert [each for each in words if each and each.startswith(unknown)] == []
        shown.page.press("Tab")
        assert shown.js("document.activeElement.className") == "skip"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_the_systems_until_another_is_chosen(calm: Shown, theme: str) -> None:
    other = {"light": "dark", "dark": "light"}[theme]
    paper = "getComputedStyle(document.body).backgroundColor"
    calm.page.prefer(prefers_color_scheme=other)
    others = calm.js(paper)
    calm.page.prefer(prefers_color_scheme=theme)
    own = calm.js(paper)
    assert own != others
    calm.js(f"document.querySelector('[data-choose={other}]').click()")
    assert calm.js(paper) == others
    calm.page.go("about:blank")
    calm.page.go(calm.feed.url)
    calm.until("document.body.dataset.shown !== undefined")
    assert calm.js(paper) == others


@pytest.mark.parametrize("story", ["slow", "stuck", "unread"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, story: str, theme: str) -> None:
    with showing(browser, told(story)) as shown:
        shown.page.prefer(prefers_color_scheme=theme)
        contrast, text = shown.js(CONTRAST)
        assert contrast >= 4.5, text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 768, 1280, 3840])
def test_it_fits_any_width(browser: Browser, width: int, language: str) -> None:
    with showing(browser, told("unread")) as shown:
        shown.page.window(width, 900)
        shown.js(f"document.querySelector('[data-speak={language}]').click()")
        shown.drawn()
        assert shown.js(OVERFLOW) == 0
        shown.pause()
        assert shown.js(OVERFLOW) == 0


def test_nothing_moves_for_those_who_ask_for_stillness(calm: Shown) -> None:
    moving = """[...document.querySelectorAll("*")].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0
                                                              || getComputedStyle(e).animationName !== "none").length"""
    assert calm.js(moving) > 0
    calm.page.prefer(prefers_reduced_motion="reduce")
    assert calm.js(moving) == 0
