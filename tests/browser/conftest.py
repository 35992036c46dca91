"""Chromium, and pages that are watched for what must not happen on them."""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED = "PRUNING_LABS_CHROMIUM" in os.environ  # .ci/run installs it
PATIENCE = 120_000  # milliseconds that a busy machine may take for one step
HERE = ("127.0.0.1", "localhost", "::1")


@pytest.fixture(scope="module")  # no longer: while it is there, an event loop is running
def chromium() -> Iterator[Browser]:
    if not CHROMIUM and not REQUIRED:
        pytest.skip("no Chromium here: Debian's `chromium`")
    assert CHROMIUM, "Chromium is not installed: what a browser shows is untested"
    expect.set_options(timeout=PATIENCE)
    options = ["--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    options += ["--no-sandbox"] * (os.geteuid() == 0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


class Watched:
    """A page; its dialogs, its scripts' errors, and what it asks of other machines, which is cut off."""

    def __init__(self, browser: Browser):
        self.dialogs: list[str] = []
        self.abroad: list[str] = []
        self.errors: list[str] = []
        self.context = browser.new_context(viewport={"width": 1300, "height": 1000})
        self.context.on("dialog", self._dialog)
        self.context.on("request", lambda request: local(request.url) or self.abroad.append(request.url))
        self.context.route(lambda url: not local(url), lambda route: route.abort())
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(PATIENCE)

    def _dialog(self, dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


def local(url: str) -> bool:
    """Whether asking for this address stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme in ("file", "data", "blob", "about") or parts.hostname in HERE


@pytest.fixture
def watched(chromium) -> Iterator[Watched]:
    """A fresh page on which anything may happen: the test looks at it."""
    watched = Watched(chromium)
    yield watched
    watched.context.close()


@pytest.fixture
def page(watched) -> Iterator[Page]:
    """A fresh page on which no dialog opens and no script fails, and which asks nothing of other machines."""
    yield watched.page
    assert watched.abroad == watched.dialogs == watched.errors == []
