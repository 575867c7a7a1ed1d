"""A browser without a screen, for tests of a page."""

import contextlib
import shutil

import pytest

# Debian's, Ubuntu's and Google's names of one program.
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextlib.contextmanager
def new_tab(width=1280, height=900):
    """Yield a tab of Chromium, as a `playwright` page.

    The test is skipped where there is no browser, or nothing to drive it.
    """
    reason = "needs playwright, which drives a browser"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"needs a browser, one of {', '.join(_PROGRAMS)}")
    with playwright.sync_playwright() as driver:
        # The sandbox refuses to run as root, as tests in containers do.
        browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        size = {"width": width, "height": height}
        try:
            yield browser.new_page(viewport=size)
        finally:
            browser.close()
