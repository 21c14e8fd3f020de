"""The page of `validate.py --report`, driven in a real Chromium."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from reports.page import write_page
from tests.measured import COLOURS, NAMES, fill_gallery, make_report

pytest.importorskip("selenium", reason="selenium, which drives browsers, is missing")

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not there"
)
SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Chromium, with nothing remembered and all that it says and asks for logged."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in SWITCHES.split():
        options.add_argument(switch)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_window_size(1200, 900)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page's file."""
    report = make_report()
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, report, fill_gallery(report).exhibits)
    return path


@pytest.fixture
def page(driver, path):
    """The page, just opened."""
    driver.get(path.as_uri())
    return driver


def find_stage(page):
    """The pictures of the first slider, in view."""
    stage = page.find_element(By.CLASS_NAME, "stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    return stage


def name_colours(stage, *shares):
    """Which picture is seen at some shares of the width, below the middle."""
    pixels = np.asarray(Image.open(io.BytesIO(stage.screenshot_as_png)).convert("RGB"))
    row = pixels[int(len(pixels) * 0.9)].astype(int)
    names = list(COLOURS)
    seen = [row[int(len(row) * share)] for share in shares]
    return [
        names[np.argmin([np.abs(c - pixel).sum() for c in COLOURS.values()])]
        for pixel in seen
    ]


def drag(page, stage, start, end, pointer):
    """Drags from one share of the width to another."""
    width = stage.size["width"]
    x = [int((share - 0.5) * width) for share in (start, end)]
    builder = ActionBuilder(page, mouse=PointerInput(pointer, pointer))
    action = builder.pointer_action
    action.move_to(stage, x[0], 20).pointer_down()
    action.move_to(stage, (x[0] + x[1]) // 2, 20).move_to(stage, x[1], 20).pointer_up()
    builder.perform()


@pytest.mark.parametrize("pointer", ["mouse", "touch"])
def test_a_drag_moves_the_divider_and_what_is_seen(page, pointer):
    stage = find_stage(page)
    assert name_colours(stage, 0.2, 0.4, 0.6, 0.8) == [*["bicubic"] * 2, *["eusr"] * 2]
    drag(page, stage, 0.5, 0.7, pointer)
    assert name_colours(stage, 0.2, 0.6, 0.8) == ["bicubic", "bicubic", "eusr"]
    drag(page, stage, 0.7, 0.1, pointer)
    assert name_colours(stage, 0.05, 0.2, 0.8) == ["bicubic", "eusr", "eusr"]
    ActionChains(page).move_to_element(stage).perform()  # No longer pressed.
    assert name_colours(stage, 0.05, 0.2, 0.8) == ["bicubic", "eusr", "eusr"]


def test_the_arrow_keys_move_the_divider_and_say_where_it_is(page):
    stage = find_stage(page)
    handle = stage.find_element(By.CLASS_NAME, "handle")
    assert handle.get_attribute("role") == "slider"
    handle.send_keys(Keys.ARROW_RIGHT)
    assert handle.get_attribute("aria-valuenow") == "52"
    handle.send_keys(Keys.ARROW_LEFT * 16)
    assert handle.get_attribute("aria-valuenow") == "20"
    assert name_colours(stage, 0.1, 0.3) == ["bicubic", "eusr"]
    handle.send_keys(Keys.END, Keys.ARROW_RIGHT)
    assert handle.get_attribute("aria-valuenow") == "100"
    assert name_colours(stage, 0.1, 0.9) == ["bicubic", "bicubic"]
    handle.send_keys(Keys.HOME)
    assert name_colours(stage, 0.1, 0.9) == ["eusr", "eusr"]


def test_any_two_of_the_pictures_can_be_compared(page):
    stage = find_stage(page)
    buttons = page.find_element(By.CLASS_NAME, "pairs").find_elements(By.XPATH, "*")
    assert len(buttons) == 3
    for button in reversed(buttons):
        button.click()
        pair = button.text.split(" | ")
        assert name_colours(stage, 0.25, 0.75) == pair
        tags = [tag.text for tag in stage.find_elements(By.CLASS_NAME, "tag")]
        assert tags == pair and button.get_attribute("aria-pressed") == "true"


def sort_by(page, label, keyboard=False):
    """Sorts the table by a column; returns the column's head."""
    button = page.find_element(By.CSS_SELECTOR, f'button[aria-label="{label}"]')
    if keyboard:
        button.send_keys(Keys.ENTER)
    else:
        page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
    return button.find_element(By.XPATH, "..")


def read_column(page, index):
    """The texts of one column of the table's visible rows."""
    rows = page.find_elements(By.CSS_SELECTOR, "#images tbody tr")
    return [
        row.find_elements(By.CSS_SELECTOR, "th, td")[index].text
        for row in rows
        if row.is_displayed()
    ]


@pytest.mark.parametrize("keyboard", [False, True])
def test_the_table_is_sorted_by_a_number_both_ways(page, keyboard):
    expected = ["20.500", "21.500", "22.500", "23.500", "24.500", "\N{INFINITY}"]
    expected = [text for text in expected for _ in range(2)]  # Two scales.
    head = sort_by(page, "psnr_y of eusr", keyboard)
    assert head.get_attribute("aria-sort") == "ascending"
    assert read_column(page, 2) == expected
    head = sort_by(page, "psnr_y of eusr", keyboard)
    assert head.get_attribute("aria-sort") == "descending"
    assert read_column(page, 2) == expected[::-1]
    assert len(page.find_elements(By.CSS_SELECTOR, '[aria-sort="none"]')) >= 9


def test_what_is_missing_comes_last_whichever_way_the_table_is_sorted(page):
    for _ in range(2):
        sort_by(page, "niqe of eusr")
        assert read_column(page, 0)[-2:] == ["nothing", "nothing"]


def test_the_table_is_sorted_by_name_as_people_count(page):
    sort_by(page, "image")
    names = read_column(page, 0)
    assert sorted(set(names)) == sorted(NAMES)
    assert names.index("image2") < names.index("image10")
    sort_by(page, "image")
    assert read_column(page, 0) == names[::-1]


def test_rows_are_chosen_by_name_and_scale(page):
    page.find_element(By.ID, "name-filter").send_keys("IMAGE")
    assert sorted(read_column(page, 0)) == ["image10"] * 2 + ["image2"] * 2
    page.find_element(By.ID, "scale-filter").send_keys("x4")
    assert sorted(read_column(page, 0)) == ["image10", "image2"]
    assert set(read_column(page, 1)) == {"x4"}
    assert page.find_element(By.ID, "row-count").text == "2 rows"


def open_report(driver, folder, report):
    """Opens the page of another report, without pictures."""
    write_page(folder / "other.html", report, {})
    driver.get((folder / "other.html").as_uri())


def read_rows(driver):
    """The texts of all cells of the tables of averages, by the first of each row."""
    rows = driver.execute_script(
        "return [...document.querySelectorAll('.averages tr')].map("
        "(row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return {first: rest for first, *rest in rows}


def test_averages_stand_beside_bicubics_and_the_published_ones(driver, tmp_path):
    names = [str(index) for index in range(100)]
    open_report(driver, tmp_path, make_report(names, (4,), "data/BSDS100/HR"))
    rows = read_rows(driver)
    assert rows["eusr, measured"][:2] == ["23.500", "0.5300"]
    assert rows["bicubic, measured"][:2] == ["23.000", "0.5300"]
    assert rows["difference"][:2] == ["+0.500", "0.0000"]
    assert rows["EUSR, published arXiv 1809.04789"][:3] == ["27.674", "0.740", ""]
    (warning,) = driver.find_elements(By.CLASS_NAME, "warning")
    assert "23.000 dB here and 25.957 dB as published" in warning.text
    assert driver.find_elements(By.ID, "gallery") == []


def test_a_baseline_alone_is_shown_once(driver, tmp_path):
    report = make_report(["a"], (2,)) | {"model": "bicubic"}
    measured = report["scales"]["2"]
    measured |= {key: measured["bicubic"][key] for key in ("average", "images")}
    open_report(driver, tmp_path, report)
    assert list(read_rows(driver)) == ["", "bicubic, measured"]
    assert driver.find_elements(By.CSS_SELECTOR, '[aria-label^="difference"]') == []


def test_images_without_both_numbers_are_not_drawn(page):
    first, second = page.find_elements(By.CLASS_NAME, "scatter")
    for plot in (first, second):
        for mark in ("mark-0", "mark-1"):
            assert len(plot.find_elements(By.CLASS_NAME, mark)) == len(NAMES) - 2
    assert "NaN" not in first.get_attribute("outerHTML")


@pytest.mark.parametrize(("name", "count"), [("nothing", 0), ("image2", 1)])
def test_a_single_image_is_drawn_if_it_has_both_numbers(driver, tmp_path, name, count):
    open_report(driver, tmp_path, make_report([name], (2,)))
    assert len(driver.find_elements(By.CSS_SELECTOR, "circle.mark-0")) == count + 1
    said = driver.find_element(By.ID, "scatters").text
    assert ("No image has both numbers." in said) == (count == 0)


def test_differences_are_judged_by_which_way_is_better(page):
    def call(function, metric, value):
        column = f"COLUMNS.find((column) => column.metric === '{metric}')"
        return page.execute_script(f"return {function}({column}, {value})")

    assert call("judge", "psnr_y", 0.1) == call("judge", "niqe", -0.1) == "better"
    assert call("judge", "psnr_y", -0.1) == call("judge", "niqe", 0.1) == "worse"
    assert call("judge", "psnr_y", 0.0001) == call("judge", "niqe", "NaN") == ""
    assert call("formatGain", "psnr_y", -0.1) == "\N{MINUS SIGN}0.100"
    assert call("formatGain", "psnr_y", -0.0001) == "0.000"
    assert call("formatValue", "psnr_y", "Infinity") == "\N{INFINITY}"


@pytest.mark.parametrize("width", [1200, 360])
def test_no_width_makes_the_page_wider_than_the_window(page, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        sizes = "const e = document.documentElement; return "
        inside = page.execute_script(f"{sizes} e.scrollWidth")
        assert inside <= page.execute_script(f"{sizes} e.clientWidth") <= width
        assert find_stage(page).size["width"] <= width
        stage = find_stage(page)
        drag(page, stage, 0.5, 0.8, "mouse")
        assert name_colours(stage, 0.6, 0.9) == ["bicubic", "eusr"]
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_asked_for_and_nothing_complained_of(page, path):
    page.get_log("performance"), page.get_log("browser")
    page.get(path.as_uri())
    find_stage(page)
    assert page.get_log("browser") == []
    messages = [
        json.loads(e["message"])["message"] for e in page.get_log("performance")
    ]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert path.as_uri() in asked
    assert all(url == path.as_uri() or url.startswith("data:") for url in asked)
