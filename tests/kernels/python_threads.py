"""Several threads of Python that ask the library at once."""

import threading


def agree(is_right, count=4, times=30):
    """Whether each of `count` threads finds `is_right()` true as many `times`."""
    found = []

    def ask():
        found.extend(is_right() for _ in range(times))

    asking = [threading.Thread(target=ask) for _ in range(count)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    return len(found) == count * times and all(found)
