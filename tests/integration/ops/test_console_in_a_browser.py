"""The console in a real browser, over a lab that loses a region: what a person sees and does."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator

import pytest
from browser import Console, Page, chromium, required_or_skipped
from deployed_lab import REPOSITORY, Lab
from lab_copies import a_deployed_lab
from region_outage import EAST, WEST, leave_to_people

from lab import client
from tapstack import node, node_packages

AXE = REPOSITORY / "tests" / "browser"
SETTLED_SECONDS = 240
"""Longest wait for a lab that was deployed just now to answer everything."""
CLOCK, ORDERED_CLOCK = 10.0, "20"
SERIOUS = ("serious", "critical")

required_or_skipped()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A deployed lab of this file's own, which loses a region. Its clock is fast, since Route 53
    takes minutes to find a healthy region and to leave a lost one; people alone fail over."""
    with a_deployed_lab(tmp_path_factory.mktemp("console")) as made:
        client.set_clock(made.state_dir, CLOCK)
        leave_to_people(made)
        yield made


@pytest.fixture(scope="module")
def console(lab: Lab) -> Iterator[Console]:
    """A console over it."""
    made = Console(lab)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def page(console: Console) -> Iterator[Page]:
    """Its page, open and live."""
    with chromium() as driver:
        made = Page(driver)
        made.open(console.address)
        yield made


def test_both_regions_are_seen_as_they_are(page: Page) -> None:
    """N10, issue 21: writes, regions, DNS, layers; nothing of the browser's own complains."""
    page.wait(lambda: "Writes succeed" in page.text("head").replace("\n", " "), SETTLED_SECONDS)
    page.wait(lambda: "200 healthy" in page.text(EAST) and "reader, available" in page.text(WEST))
    # A new check counts as unhealthy until it was probed often enough, so DNS comes home late.
    page.wait(lambda: "us-east-1" in page.text("traffic"), SETTLED_SECONDS)
    page.wait(lambda: page.text("deployed").count("deployed") >= 4)
    assert [line for line in page.driver.get_log("browser") if line["level"] == "SEVERE"] == []


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility checker's script, of the lock file's version."""
    with node_packages.held(AXE):
        node_packages.install(AXE, node.find(os.environ["PATH"]), "run again")
    return (AXE / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_serious(page: Page, axe: str, scheme: str, width: int) -> None:
    """Issue 21: names, roles, contrast; light and dark, on a phone's width as well."""
    driver = page.driver
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    answer = driver.execute_cdp_cmd(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then((found) => JSON.stringify(found.violations))",
            "awaitPromise": True,
        },
    )
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    found = json.loads(answer["result"]["value"])
    serious = [
        (one["id"], one["nodes"][0]["html"], one["nodes"][0].get("failureSummary"))
        for one in found
        if one["impact"] in SERIOUS
    ]
    assert serious == []


def test_the_keyboard_reaches_the_regions_first(page: Page) -> None:
    """Issue 21: the first key press leads past the head of the page."""
    driver = page.driver
    driver.execute_script("document.activeElement.blur()")
    driver.switch_to.active_element.send_keys("\ue004")
    assert driver.switch_to.active_element.text == "To the regions"


def test_a_drill_s_evidence_is_one_click_away(lab: Lab, page: Page) -> None:
    """Issue 21: listed as soon as it is recorded, whatever it holds; its page opens beside."""
    folder = lab.directory / "evidence" / "drills"
    folder.mkdir(parents=True)
    (folder / "d-1.html").write_text("<title>a drill</title><h1>what was measured</h1>")
    (folder / "d-1.json").write_text("{}")
    page.wait(lambda: "d-1" in page.text("drills"))
    driver, own = page.driver, page.driver.current_window_handle
    driver.find_element("css selector", '#drills a[href$="d-1.html"]').click()
    page.wait(lambda: len(driver.window_handles) == 2)
    (other,) = set(driver.window_handles) - {own}
    driver.switch_to.window(other)
    page.wait(lambda: driver.find_element("tag name", "h1").text == "what was measured")
    driver.close()
    driver.switch_to.window(own)


def test_the_page_turns_when_a_region_is_lost(lab: Lab, page: Page) -> None:
    """Issue 21: ordered by its form; what the lab says and what is asked turn together, and the
    timeline keeps it. (``./inv bench console`` holds it against two seconds.)"""
    assert page.order("outage", region=EAST).endswith("done")
    assert client.status(lab.state_dir).regions[EAST] == "down"
    page.wait(lambda: "has lost api" in page.text(EAST))
    page.wait(lambda: "no answer" in page.text(EAST))
    page.wait(lambda: "Writes fail" in page.text("head").replace("\n", " "))
    page.wait(lambda: "lab.outage us-east-1" in page.text("timeline"))
    assert "200 healthy" in page.text(WEST)
    assert page.order("clock", factor=ORDERED_CLOCK).endswith("done")
    assert client.status(lab.state_dir).clock == float(ORDERED_CLOCK)


@pytest.mark.long
def test_a_failover_is_ordered_by_its_button(page: Page) -> None:
    """Issue 21: confirmed by the stack's name; a process of its own, which the page follows until
    us-west-2 writes. In every run the clock is ordered by the page (above)."""
    assert "type the stack's name" in page.order("failover", confirm="no")
    said = page.order("failover", reason="us-east-1 is lost", confirm="lab")
    assert said.endswith("started: its output is below")
    page.wait(lambda: "./inv failover --stack lab --yes --force" in page.text("running"))
    page.wait(lambda: "at work" not in page.text("running"), SETTLED_SECONDS)
    assert "done" in page.text("running")
    page.wait(lambda: "writer, " in page.text(WEST), SETTLED_SECONDS)
    page.wait(lambda: "Writes succeed" in page.text("head").replace("\n", " "), SETTLED_SECONDS)


def test_a_page_that_lost_its_console_says_so_and_finds_it_again(
    console: Console, page: Page
) -> None:
    """Issue 21: greyed out, nothing can be ordered; the next console has the same address, and
    what the last one kept."""
    console.kill()
    page.wait(lambda: "is lost" in page.text("lost"))
    body = page.driver.find_element("tag name", "body")
    assert "lost" in str(body.get_attribute("class"))
    button = page.driver.find_element("css selector", "form button")
    assert not button.is_enabled()
    assert console.start() == console.address
    page.wait(lambda: page.text("connection").startswith("live"))
    page.wait(lambda: "lost" not in str(page.driver.find_element("tag name", "body")
                                        .get_attribute("class")))  # fmt: skip
    assert "lab.outage us-east-1" in page.text("timeline")
    page.order("restore", region=EAST)
    page.wait(lambda: "whole" in page.text(EAST))


@pytest.mark.parametrize(
    ("method", "headers", "with_token"),
    [
        ("GET", {"Host": "evil.example"}, True),
        ("GET", {}, False),
        ("POST", {"Origin": "http://evil.example"}, True),
        ("POST", {}, True),
    ],
)
def test_strangers_are_refused(
    console: Console, method: str, headers: dict[str, str], with_token: bool
) -> None:
    """Issue 21: foreign Host, missing token, cross-site order, order without the page's token."""
    path = console.address.partition(str(console.port))[2] if with_token else "/"
    connection = http.client.HTTPConnection("127.0.0.1", console.port, timeout=60)
    connection.request(method, f"{path}orders/clock" if method == "POST" else path, headers=headers)
    assert connection.getresponse().status == 403
    connection.close()


def test_a_second_console_on_the_port_is_exit_code_4(lab: Lab, console: Console) -> None:
    """Issue 21: one line, and the flag that chooses another port."""
    answer = lab.inv("console", "--port", str(console.port))
    assert answer.returncode == 4
    assert "--port" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_it_ends_at_once(console: Console, page: Page) -> None:
    """Issue 21: Ctrl-C, with a page that follows and a region that may hang."""
    assert console.process is not None
    console.process.send_signal(signal.SIGINT)
    assert console.process.wait(60) == 0
    page.wait(lambda: "is lost" in page.text("lost"))
