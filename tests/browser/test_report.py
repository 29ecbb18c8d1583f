"""The report in a real browser: readable on a phone and a desk, in light and dark, and on A4."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from schemas.clusters import NO_CLUSTERS, Cluster, Clusters, Member, Shared
from schemas.outcomes import Fate
from schemas.runs import (
    Change,
    Doubtful,
    DoubtfulRequest,
    Example,
    Origin,
    Reason,
    Requests,
    RunReport,
    Tick,
    Totals,
)
from transforms.report import html

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SENT = datetime(2026, 2, 28, 19, 4, 12, 345_000, UTC)
LONG = "an_unbroken_word_that_no_line_can_hold_" * 6


def report(**different):
    """A sync that went as most do."""
    usual = {
        "run": "20260301-003000-loyalty-nightly",
        "job": "loyalty-nightly",
        "mode": "sync",
        "state": "done",
        "exit_code": 5,
        "started": "2026-03-01T00:30:00+05:30",
        "finished": "2026-03-01T00:41:12+05:30",
        "destination": "eu.api.capillarytech.com",
        "operation": "update",
        "totals": Totals(
            read=59_940,
            rows={
                Fate.UNREADABLE: 3,
                Fate.FILTERED: 1_240,
                Fate.INVALID: 954,
                Fate.DUPLICATE: 209,
                Fate.CONFLICT: 4,
                Fate.UNCHANGED: 12_480,
                Fate.ACCEPTED: 44_985,
                Fate.ACCEPTED_WITH_LOSS: 58,
                Fate.REFUSED: 3,
                Fate.IN_DOUBT: 4,
            },
            points_read={"1016": 81_200, "1017": 12_400},
            points={
                "1016": {Fate.INVALID: 400, Fate.ACCEPTED: 80_300, Fate.IN_DOUBT: 500},
                "1017": {Fate.CONFLICT: 150, Fate.ACCEPTED: 12_250},
            },
        ),
        "requests": Requests(sent=902, answered=898, retried=4, throttled=4, looked_up=1),
        "requests_per_minute": 90,
        "seconds": {"prepare": 1.9, "settle": 0.2, "deliver": 612.4, "report": 0.1},
        "reasons": (
            reason(Fate.UNREADABLE, "line.too_few_columns", 3, "The line has fewer columns than the header."),
            reason(Fate.INVALID, "mobile.not_a_mobile", 640),
            reason(Fate.INVALID, "dob.in_the_future", 314, "The date of birth is in the future."),
            reason(Fate.CONFLICT, "mobile.shared", 4, "Several customers have this mobile."),
            reason(Fate.ACCEPTED_WITH_LOSS, "91016", 58, "The org does not know this extended field."),
            reason(Fate.REFUSED, "1213", 3, "The org does not know this loyalty programme."),
            reason(Fate.IN_DOUBT, "html", 4, "A gateway answered with a web page instead of the API."),
        ),
        "changes": (
            Change("mobile", "country_code_added", 1204),
            Change("firstName", "trimmed", 310),
            Change("dob", "dropped_in_the_future", 12),
        ),
        "origins": (
            Origin(
                "customers", "inbox/customers_20260301.csv.gz", 3_184_233, "5d41402abc4b2a76b9719d911017c592", 59_940
            ),
            Origin(
                "loyalty", "warehouse: select member_no, points from loyalty", 0, "7d793037a0760186574b0282", 58_112
            ),
        ),
        "ticks": ticks(61, 10.0),
        "unmatched": {"loyalty": 12},
        "files": {"report": "report.html", "rejected": "rejected.csv", "results": "results.parquet"},
        "doubts": (*doubts(3, "8f14e45f-ceea-4e7a-b6c1-0f3d9a1c77aa"), *doubts(1)),
        "doubtful_requests": requests_in_doubt(2),
        "clusters": Clusters(2, (cluster(1, 4, 2), cluster(2, 2, 1))),
        "notes": ("eu.api.capillarytech.com takes less than limits.rows_per_request says: 5 is used from now on.",),
    }
    return RunReport(**(usual | different))


def doubts(number, request_id=""):
    sent_at = "2026-03-01T00:34:12+05:30"
    return tuple(
        Doubtful("customers_20260301.csv.gz", 21_483 + place, "C-2••••14", sent_at, 41, request_id, ("html",), 125)
        for place in range(number)
    )


def cluster(number, rows, shared):
    file = "customers_20260301.csv.gz"
    known = (Shared("mobile", "91••••99"), Shared("email", "a••••@••••.com"), Shared("cardnumber", "40••••12"))
    members = tuple(Member(file, 30_000 + place, "C-2••••14") for place in range(min(rows, 5)))
    return Cluster(number, rows, rows, known[:shared], members)


def requests_in_doubt(number, request_id="8f14e45f-ceea-4e7a-b6c1-0f3d9a1c77aa", rows=2):
    return tuple(
        DoubtfulRequest(41 + place, SENT + timedelta(seconds=place), "" if place % 2 else request_id, rows, 250)
        for place in range(number)
    )


def reason(fate, code, rows, cause="The mobile has letters in it, or too few digits for its country."):
    return Reason(
        fate,
        code,
        rows,
        cause=cause,
        fix="Correct the value at the source, or leave it out: the customer is known by the card too.",
        examples=(
            Example("customers_20260301.csv.gz", 483, "C-1••••7"),
            Example("customers_20260301.csv.gz", 1712, "C-2••••4"),
        ),
    )


def ticks(number, length_s, per_s=1.5):
    return tuple(
        Tick(
            start_s=place * length_s,
            length_s=length_s,
            sent=int(length_s * per_s * (1 if place % 9 else 0.8)),
            throttled=place % 17 == 5,
            failed=0,
            rows=50 * int(length_s * per_s * (1 if place % 9 else 0.8)),
            latency_ms=None if place % 23 == 7 else 340.0 + 40 * (place % 7),
        )
        for place in range(number)
    )


HUGE = 9_999_999
FATES = [Fate.ACCEPTED, *(fate for fate in Fate if fate not in (Fate.ACCEPTED, Fate.NOT_SENT))]
REPORTS = {
    "typical": report(),
    "clean": report(
        exit_code=0,
        totals=Totals(1000, {Fate.ACCEPTED: 1000}, {}, {}),
        reasons=(),
        changes=(),
        unmatched={},
        doubts=(),
        doubtful_requests=(),
        clusters=NO_CLUSTERS,
    ),
    "empty": report(
        exit_code=0,
        totals=Totals(0, {}, {}, {}),
        requests=Requests(),
        reasons=(),
        changes=(),
        origins=(),
        ticks=(),
        unmatched={},
        seconds={},
        files={},
        doubts=(),
        doubtful_requests=(),
        clusters=NO_CLUSTERS,
        notes=(),
    ),
    "died": report(
        state="stopped",
        exit_code=4,
        finished="",
        totals=Totals(
            2000,
            {Fate.ACCEPTED: 412, Fate.IN_DOUBT: 50, Fate.NOT_SENT: 1538},
            {"1016": 81_200},
            {"1016": {Fate.ACCEPTED: 20_000, Fate.IN_DOUBT: 1200, Fate.NOT_SENT: 60_000}},
        ),
        ticks=ticks(1, 7.5),
        stopped_because="The API answered 503 to 20 requests in a row, so the breaker opened.",
        doubts=doubts(20),
        doubtful_requests=requests_in_doubt(25),
    ),
    "failed": report(
        state="failed",
        exit_code=2,
        totals=Totals(0, {}, {}, {}),
        requests=Requests(),
        reasons=(),
        changes=(),
        ticks=(),
        stopped_because="source.customers: inbox/customers_*.csv.gz matches no file.",
    ),
    "huge": report(
        totals=Totals(
            HUGE + sum(range(10)),
            {fate: HUGE if fate is Fate.ACCEPTED else place for place, fate in enumerate(FATES)},
            {str(1000 + place): 10**9 + place for place in range(30)},
            {str(1000 + place): {Fate.ACCEPTED: 10**9, Fate.INVALID: place} for place in range(30)},
        ),
        requests=Requests(sent=200_000, answered=199_999, retried=12_345, throttled=1_234, looked_up=10),
        reasons=(
            *(reason(Fate.INVALID, f"field_{place}.wrong", 10_000 - place) for place in range(199)),
            reason(Fate.REFUSED, "8007", 12),
        ),
        ticks=ticks(5000, 60.0, per_s=16),
        clusters=Clusters(HUGE, tuple(cluster(HUGE - place, HUGE - place, 3) for place in range(20))),
        requests_per_minute=1000,
    ),
    "hostile": report(
        run="<script>alert(1)</script>" + LONG,
        job='<img src=http://127.0.0.1:9/x onerror=alert(1)> & "quotes" \' ' + LONG,
        destination="https://" + LONG,
        stopped_because="</style><script>alert(2)</script>" + LONG,
        state="failed",
        exit_code=1,
        totals=Totals(2, {Fate.ACCEPTED: 1, Fate.IN_DOUBT: 1}, {LONG: 5}, {LONG: {Fate.ACCEPTED: 4}}),
        reasons=(
            Reason(
                Fate.INVALID,
                LONG,
                1,
                "</td></table><script>alert(3)</script>",
                LONG,
                (Example('"><script>.csv' + LONG, 1, "<script>••••"),),
            ),
        ),
        changes=(Change("<b>" + LONG, "<i>" + LONG, 1),),
        origins=(Origin(LONG, 'o\'brien "file" <1>.csv' + LONG, 10**13, "<" * 64, 10**9),),
        unmatched={LONG: 3},
        seconds={LONG: 1e7},
        files={"rejected": LONG, LONG: "x"},
        clusters=Clusters(1, (Cluster(1, 2, 2, (Shared("<b>", "<i>" + LONG),), (Member(LONG, 10**9, "<u>" + LONG),)),)),
        doubts=(Doubtful(LONG, 10**9, "<b>" + LONG, LONG, 1, "</code><script>" + LONG, (LONG,), 10**12),),
        doubtful_requests=requests_in_doubt(1, "</pre><script>alert(4)</script>" + LONG, rows=1),
        notes=("</ul><script>alert(5)</script>" + LONG,),
    ),
}
SCREENS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.fail(
            f"{CHROMIUM} is missing: install it with `apt-get install chromium`, these tests look at the report in it"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path):
    """Open a report from its file; afterwards nothing may have been said or asked for besides that file."""
    noticed: list[str] = []
    contexts = []

    def opened(name: str, width: int = 1280, scheme: str = "light") -> Page:
        file = tmp_path / f"{name}.html"
        file.write_text(html(REPORTS[name]), encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda message: noticed.append(message.text))
        page.on("pageerror", lambda error: noticed.append(str(error)))
        page.on("dialog", lambda dialog: (noticed.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: noticed.append(asked.url) if asked.url != file.as_uri() else None)
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(more => more.open = true)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [said for said in noticed if not said.startswith("data:,")] == []


# Elements that show less than they hold, stick out of the window, or stand one letter below the other.
CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect(), head = e.closest('thead');
  if (!box.width || head && getComputedStyle(head).position === 'absolute') return false;
  const hides = getComputedStyle(e).overflowX !== 'visible' && !(e instanceof SVGElement);
  const squeezed = e.innerText && e.innerText.length > 12 && box.width < 40;
  return hides && e.scrollWidth > e.clientWidth || squeezed || box.right > innerWidth + 0.5 || box.left < -0.5;
}).map(e => e.outerHTML.slice(0, 120))"""

# Pairs of texts that lie on each other, in each picture.
OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')]
    .map(t => [t.textContent, t.getBoundingClientRect()]).filter(([, box]) => box.width);
  return texts.flatMap(([a, p], i) => texts.slice(i + 1)
    .filter(([, q]) => p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom)
    .map(([b]) => a + ' / ' + b));
})"""

# Texts whose contrast with what is behind them is below WCAG AA: 4.5, or 3 when large.
PALE = """() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => sum + w * linear(rgb[i] / 255), 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor);
      if (a) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const seen = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const e = node.parentElement, style = getComputedStyle(e), text = node.textContent.trim();
    if (!text || ['title', 'desc'].includes(e.tagName) || !e.getClientRects().length) continue;
    const color = e instanceof SVGElement ? style.fill : style.color;
    const [high, low] = [light(parts(color)), light(behind(e))].sort((x, y) => y - x);
    const px = parseFloat(style.fontSize), large = px >= 24 || px >= 18.66 && style.fontWeight >= 700;
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < (large ? 3 : 4.5)) seen.push(ratio.toFixed(2) + ' ' + text);
  }
  return seen;
}"""


def picture(page, file):
    """On a busy machine Chromium now and then says "Unable to capture screenshot", which is no fault of the page."""
    try:
        page.screenshot(path=file, full_page=True)
    except Error as error:
        assert "capture screenshot" in str(error)
        page.screenshot(path=file, full_page=True)


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_cut_off_or_pale(show, tmp_path, name, width, scheme):
    page = show(name, width, scheme)
    picture(page, tmp_path / f"{name}-{width}-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(PALE) == []


@pytest.mark.parametrize("name", REPORTS)
def test_headings_go_down_one_level_at_a_time(show, name):
    levels = [int(tag[1]) for tag in show(name).eval_on_selector_all("h1,h2,h3,h4", "all => all.map(h => h.tagName)")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_prints_on_a4(show, tmp_path, name):
    page = show(name, scheme="dark")
    paper = tmp_path / f"{name}.pdf"
    page.pdf(path=paper, prefer_css_page_size=True)
    assert paper.read_bytes().startswith(b"%PDF-")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 960})  # A4 less its margins
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(PALE) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_folded_reasons_come_out_on_paper(show):
    page = show("huge")
    page.evaluate("document.querySelector('details').open = false")
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelector('details table').getBoundingClientRect().height") > 1000


def test_without_reasons_folded_the_first_twenty_stand(show):
    page = show("huge")
    assert page.locator("section > table.reasons tbody tr").count() == 20
    assert page.locator("details table.reasons tbody tr").count() == 180


def test_every_picture_says_what_it_shows(show):
    told = show("typical").eval_on_selector_all(
        "svg[role=img]", "all => all.map(s => s.querySelector('title, desc').textContent)"
    )
    assert told == [
        "Rows by fate",
        "Requests per minute",
        "Rows answered per minute",
        "Time to an answer, median in milliseconds",
    ]
