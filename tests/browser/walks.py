"""What people do on the page."""


def fill(page, **values):
    """Write into fields by their names."""
    for name, value in values.items():
        page.fill(f"form [name={name}]", value)


def ask(page, **values):
    """Fill in what is given, press the button, and wait for the answer or for a refusal."""
    fill(page, **values)
    page.click("button.main")
    page.wait_for_selector("#answer[aria-busy=false] .title span, #answer .refused")


def example(page, number=0):
    """Take the example in a language, and ask."""
    page.click(f".examples button >> nth={number}")
    ask(page)


def texts(page, selector):
    """The text of all elements that are selected."""
    return page.locator(selector).all_text_contents()


def reading(page):
    """The marked parts of the shown text, each without the name of its kind, and the text without all names."""
    script = """() => {
        const shown = document.querySelector('.reading').cloneNode(true);
        for (const kind of shown.querySelectorAll('.kind')) { kind.previousSibling?.remove(); kind.remove(); }
        return [[...shown.querySelectorAll('mark')].map((one) => one.textContent), shown.textContent];
    }"""
    return page.evaluate(script)
