"""Pictures of the server's page, as docs/images shows them, with the models that `make train-demo` leaves in demo/.

Run by `make pictures`, from the root of the repository.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
MODELS = ("reviews=demo/reviews", "entities=demo/entities", "questions=demo/questions", "choices=demo/choices")
OWN = ("small-en=albertkit/small-en", "vectors:sentence-embedding=albertkit/small-en")
WIDE, NARROW = {"width": 1200, "height": 640}, {"width": 390, "height": 844}
PICTURES = {
    "page-fill-mask": ("small-en", "en-GB", "light", WIDE, {"text": "She opened the [MASK] and went into the [MASK]."}),
    "page-entities": (
        *("entities", "en-GB", "dark", WIDE),
        {"text": "Hugo Fable was born in Prague, and worked at Harland Works. Rosa Fable came to London from Geneva."},
    ),
    "page-similarity": (
        *("vectors", "ja-JP", "light", NARROW),
        {"texts": "A cup of tea, please.\nMay I have some tea?\nThe train leaves at nine.\nOur train goes at nine."},
    ),
    "page-question": (
        *("questions", "en-GB", "light", NARROW),
        {
            "question": "Where did Hugo Fable come from?",
            "context": "Hugo Fable was born in Prague. Work was found at Harland Works, as a sailor.",
        },
    ),
}
"""By name of the file: model, language, theme, size, and what is filled in."""
MOST = 150_000
"""Bytes of a picture."""


def take(browser: Browser, address: str, name: str) -> None:
    """Ask a model, put a word into the first gap if there is one, and keep a picture of the page."""
    model, language, theme, size, values = PICTURES[name]
    context = browser.new_context(locale=language, color_scheme=theme, viewport=size, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{address}/#{model}")
    for field, value in values.items():
        page.fill(f"[name={field}]", value)
    page.click("button.main")
    page.wait_for_selector("#answer .title span")
    if model == "small-en":
        with page.expect_response("**/models/*"):
            page.click(".choices button")
        page.wait_for_selector("#answer[aria-busy=false]")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    path = ROOT / "docs" / "images" / f"{name}.png"
    page.screenshot(path=path, full_page=size is NARROW)
    context.close()
    if path.stat().st_size > MOST:
        raise SystemExit(f"A picture may have {MOST:,} bytes. {name} has {path.stat().st_size:,}: show less.")


def main() -> None:
    """Take all of them."""
    (ROOT / "docs" / "images").mkdir(exist_ok=True)
    log = ROOT / "demo" / "server.log"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    command = [sys.executable, "-m", "albertkit", "serve", *MODELS, *OWN, "--port", "0"]
    with log.open("w") as stream, subprocess.Popen(command, cwd=ROOT, stderr=stream) as server:
        try:
            while not (found := re.search(r" at (http://\S+)", log.read_text())):
                if server.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.1)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium)
                for name in PICTURES:
                    take(browser, found[1], name)
                browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
