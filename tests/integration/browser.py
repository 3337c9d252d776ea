"""A real Chromium without a window, and a console that it looks at."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deployed_lab import Lab, free_port
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

INSTALL = "apt-get install chromium chromium-driver"
REQUIRED = "BROWSER_TESTS"
"""``required``: where continuous integration has installed a browser its tests aren't skipped."""
PATIENCE_SECONDS = 60.0
"""Longest wait for what comes at once on a machine that is idle."""


def missing() -> str:
    """What to install before a browser can be started; empty where both programs are here."""
    return "" if shutil.which("chromium") and shutil.which("chromedriver") else INSTALL


def required_or_skipped() -> None:
    """Skips the test file that is being collected where no browser is here; fails it where
    continuous integration has installed one."""
    if not missing():
        return
    if os.environ.get(REQUIRED) == "required":
        pytest.fail(f"no browser is here though one was installed: {missing()}", pytrace=False)
    pytest.skip(f"no browser is here: {missing()}", allow_module_level=True)


@contextmanager
def chromium(width: int = 1400, height: int = 1000) -> Iterator[webdriver.Chrome]:
    """A browser of its own, ended afterwards."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
        "--no-proxy-server", "--disable-background-networking", "--no-first-run",
        "--hide-scrollbars", f"--window-size={width},{height}",
    ):  # fmt: skip
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(str(shutil.which("chromedriver"))))
    try:
        yield driver
    finally:
        driver.quit()


@dataclass
class Page:
    """The console's page in a browser."""

    driver: webdriver.Chrome

    def open(self, address: str) -> None:
        """Loads it and waits until it is live."""
        self.driver.get(address)
        self.wait(lambda: self.text("connection").startswith("live"))

    def text(self, name: str) -> str:
        """What a person reads in one part; empty while that part isn't there."""
        found = self.driver.find_elements(By.ID, name)
        return found[0].text if found else ""

    def wait(self, condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> float:
        """Waits until something holds; returns the seconds that it took."""
        began = time.monotonic()
        while True:
            with suppress(WebDriverException):  # a part that was replaced while it was read
                if condition():
                    return time.monotonic() - began
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not within {seconds} s; the page says:\n{self.whole()}")
            time.sleep(0.1)

    def whole(self) -> str:
        """Everything that a person reads."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def order(self, name: str, **fields: str) -> str:
        """Fills one form as a person does, and returns what it answers."""
        form = self.driver.find_element(By.CSS_SELECTOR, f'form[data-order="{name}"]')
        for field, value in fields.items():
            entry = form.find_element(By.NAME, field)
            if entry.tag_name == "select":
                entry.find_element(By.XPATH, f'./option[.="{value}"]').click()
            else:
                entry.clear()
                entry.send_keys(value)
        form.find_element(By.TAG_NAME, "button").click()
        said = form.find_element(By.TAG_NAME, "output")
        self.wait(lambda: said.text not in ("", "…"))
        return said.text

    def pictures(self, folder: Path, name: str, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Saves ``NAME-KIND-light.webp`` and ``-dark`` of each kind, by its width and height."""
        for dark, shade in ((False, "light"), (True, "dark")):
            for kind, (width, height) in sizes.items():
                file = folder / f"{name}-{kind}-{shade}.webp"
                self.picture(file, dark=dark, width=width, height=height)

    def picture(self, file: Path, *, dark: bool, width: int, height: int = 0) -> None:
        """Saves the page as WebP, from its top; its whole height, or at most ``height`` pixels."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        time.sleep(0.5)
        high = self.driver.execute_script("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(high, height or high), "scale": 1}
        answer = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot",
            {
                "format": "webp",
                "quality": 80,
                "captureBeyondViewport": True,
                "clip": clip,
            },
        )
        file.write_bytes(base64.b64decode(answer["data"]))


class Console:
    """``./inv console`` over a lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.port = free_port()
        self.address = ""
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Starts it, waits for its address, and returns that."""
        self.process = self._lab.start("console", "--port", str(self.port))
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + self.process.stdout.read()
        self.address = found[0]
        return self.address

    def kill(self) -> None:
        """Ends it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ends it if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
