"""From the start of the process to the first embedding, the Python peer."""

import time

from machine import arguments, facts, load, say

if __name__ == "__main__":
    options = arguments()
    load(options).encode(["How late is it?"])
    first = 1000 * time.time() - options.started
    say({"firstMs": first, **facts()})
