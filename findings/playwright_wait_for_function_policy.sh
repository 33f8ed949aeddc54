#!/usr/bin/env bash
# On a page whose Content-Security-Policy has no 'unsafe-eval', Playwright 1.65.2's page.wait_for_function works where its condition
# holds at once, and raises EvalError where the condition holds a little later: only the first try is made from outside the page.
# A test so passes on a fast machine and fails on a slow one. `expect(locator)` waits without that.
# Seen on 2026-11-30, Python 3.11, Chromium 150 of Debian 12.
# Matters to: whoever tests pages with a strict policy.
set -euo pipefail
command -v chromium >/dev/null || { echo "This needs chromium: apt-get install chromium"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check playwright==1.65.2
cd "$folder"
cat > program.py <<'PY'
from playwright.sync_api import Error, expect, sync_playwright

POLICY = {"Content-Security-Policy": "default-src 'none'; script-src 'self'"}
SCRIPT = "setTimeout(() => { document.title = 'late'; }, 500);"


def visit(browser, scripts):
    """A page that takes its title from a script half a second after it came."""
    page = browser.new_page()
    page.route("**/late.js", lambda route: route.fulfill(body=SCRIPT, content_type="text/javascript"))
    body = f"<title>early</title>{scripts}"
    page.route("**/page", lambda route: route.fulfill(body=body, headers=POLICY, content_type="text/html"))
    page.goto("http://example.test/page")
    return page


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
    visit(browser, "").wait_for_function("document.title === 'early'")
    print("a condition that holds at once: waited for")
    late = "<script src='/late.js'></script>"
    expect(visit(browser, late)).to_have_title("late")
    print("expect, for one that holds later: waited for")
    try:
        visit(browser, late).wait_for_function("document.title === 'late'")
    except Error as error:
        print(f"wait_for_function, for one that holds later: {str(error).splitlines()[0]}")
        assert "EvalError" in str(error)
    else:
        raise SystemExit("it is waited for now")
    browser.close()
PY
"$folder/venv/bin/python" program.py
