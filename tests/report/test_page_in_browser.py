"""`report.html` in a browser, if there is one: at three widths, light and dark, by pointer and by keyboard."""

import shutil

import pytest
from fakes import TRIVIAL, TWO_AXES, evidence, learned, make_study, record

from bncli.report.files import write_files

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium (apt-get install chromium)")

WIDTHS, SCHEMES = (400, 800, 1400), ("light", "dark")
SIZES = "[document.documentElement.clientWidth, document.documentElement.scrollWidth]"
OPEN = "document.querySelectorAll('details').forEach(part => { part.open = true; })"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "out"
    shown = evidence(make_study("none,batch:before,layer:before", TWO_AXES, range(3)), learned, TRIVIAL)
    write_files(shown, record(folder, shown))
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, address):
    """Open the page; whatever it logs or asks the network for fails the test."""
    contexts, told = [], []

    def call(width=1400, scheme="light", **options):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url) if request.url.startswith("http") else None)
        page.goto(address)
        return page

    yield call
    for context in contexts:
        context.close()
    assert told == []


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(width, scheme, marks=[pytest.mark.slow] if (width, scheme) != (400, "light") else [])
        for width in WIDTHS
        for scheme in SCHEMES
    ],
)
def test_nothing_overflows_folded_or_open(visit, width, scheme):
    page = visit(width, scheme)
    for script in ("null", OPEN):
        page.evaluate(script)
        visible, needed = page.evaluate(SIZES)
        assert (visible, needed) == (width, width)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious(visit, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = visit(1000, scheme)
    page.evaluate(OPEN)
    found = Axe().run(page).response
    assert found["passes"]
    assert [each for each in found["violations"] if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize(("width", "columns"), [(400, 1), (1400, 2)])
def test_panels_stand_side_by_side_where_there_is_room(visit, width, columns):
    places = (
        visit(width)
        .locator("#figure-curves .panel")
        .evaluate_all("parts => parts.map(part => [Math.round(part.getBoundingClientRect().left), part.clientWidth])")
    )
    assert len(places) == 4
    assert len({left for left, _ in places}) == columns
    assert all(wide > 300 for _, wide in places)


@pytest.mark.slow
def test_the_answer_is_seen_on_a_phone_without_scrolling(visit):
    lead = visit(400).locator(".lead").bounding_box()
    assert lead["y"] + lead["height"] < 640


@pytest.mark.slow
def test_figures_are_dark_on_a_dark_page(visit):
    """The text of a figure has the colour of the page's text."""
    colours = {
        scheme: visit(1400, scheme).evaluate(
            "[getComputedStyle(document.querySelector('.panel text')).fill, getComputedStyle(document.body).color]"
        )
        for scheme in SCHEMES
    }
    assert all(figure == text for figure, text in colours.values())
    assert colours["light"] != colours["dark"]


def test_a_click_on_an_arm_hides_it_in_all_figures_and_shows_it_again(visit):
    page = visit()
    page.evaluate(OPEN)
    button = page.get_by_role("button", name="layer:before").first
    parts = page.locator(".panel .arm-2")
    assert parts.count() > 10
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert not any(parts.nth(place).is_visible() for place in range(parts.count()))
    assert page.locator(".panel .arm-1").first.is_visible()
    pressed = page.locator('.legend [data-arm="2"] button').evaluate_all(
        "all => all.map(each => each.getAttribute('aria-pressed'))"
    )
    assert len(pressed) > 1
    assert set(pressed) == {"false"}
    button.click()
    assert parts.first.is_visible()


def test_the_value_under_the_pointer_is_shown(visit):
    """The last point of the baseline in the first panel has the mean of the first row of the table."""
    page = visit()
    panel = page.locator("#figure-curves .panel svg").first
    at = panel.evaluate(
        """svg => {
          const curve = JSON.parse(svg.dataset.points)[0], n = curve.length;
          const point = new DOMPoint(curve[n - 4], curve[n - 3]).matrixTransform(svg.getScreenCTM());
          return [point.x, point.y];
        }"""
    )
    page.mouse.move(at[0] + 1, at[1] + 1)
    mean = page.locator("table").first.locator("tbody tr").first.locator("td").nth(3).inner_text().split()[0]
    tip = page.get_by_role("status")
    assert tip.is_visible()
    name, score = tip.inner_text().split(", validation accuracy ")
    assert name == "none: epoch 3"
    assert f"{float(score):.3f}" == mean
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_values_are_read_with_the_arrow_keys(visit):
    page = visit()
    page.locator("#figure-curves .panel svg").first.focus()
    tip = page.get_by_role("status")
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        told.append(tip.inner_text().split(",")[0])
    assert told == ["none: epoch 1", "none: epoch 2", "batch:before: epoch 2", "batch:before: epoch 1"]
    page.keyboard.press("Escape")
    assert not tip.is_visible()


@pytest.mark.slow
def test_a_panel_is_enlarged_and_made_small_again(visit):
    page = visit()
    panel = page.locator("#figure-curves .panel").first
    small = panel.bounding_box()["width"]
    button = panel.get_by_role("button", name="Enlarge this panel")
    button.click()
    assert panel.bounding_box()["width"] > 1.8 * small
    button.click()
    assert panel.bounding_box()["width"] == small


def test_the_list_of_contents_opens_what_is_folded(visit):
    page = visit()
    part = page.locator("details#more-reached")
    assert part.get_attribute("open") is None
    page.get_by_role("navigation").get_by_role("link", name="Reached", exact=True).click()
    assert part.get_attribute("open") is not None


@pytest.mark.slow
def test_tables_sort_both_ways_by_a_button_that_takes_the_focus(visit):
    page = visit()
    table = page.locator("table").first
    head = table.locator("thead th").nth(3)

    def cells():
        return [float(text.split()[0]) for text in table.locator("tbody tr td:nth-child(4)").all_inner_texts()]

    before = cells()
    assert before != sorted(before)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (cells(), head.get_attribute("aria-sort")) == (sorted(before), "ascending")
    page.keyboard.press("Enter")
    assert (cells(), head.get_attribute("aria-sort")) == (sorted(before)[::-1], "descending")


@pytest.mark.slow
def test_without_javascript_everything_can_be_read(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(".lead").is_visible()
    assert page.locator("#figure-curves .panel svg").first.is_visible()
    assert page.locator(".legend li").first.inner_text().split() == ["●", "none"]
    page.locator("summary").first.click()
    assert page.locator("details figure").first.is_visible()


@pytest.mark.slow
def test_the_arm_stays_in_view_when_a_table_scrolls(visit):
    page = visit(400)
    scroll, arm = page.locator(".scroll").first, page.locator("td.arm").first
    scroll.evaluate("part => { part.scrollLeft = 400; }")
    assert abs(arm.bounding_box()["x"] - scroll.bounding_box()["x"]) < 2


@pytest.mark.slow
def test_all_is_printed(visit):
    page = visit()
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details figure").first.is_visible()
    assert not page.get_by_role("navigation").is_visible()
