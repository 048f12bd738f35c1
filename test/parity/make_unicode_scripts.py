"""Writes lib/data/tokenizer/unicode-scripts.ts: the scripts of characters as the pre-tokenizer UnicodeScripts of Rust's tokenizers has them.

    python test/parity/make_unicode_scripts.py      (needs `tokenizers`)

Its table is not to be had from Python, but how it splits is: a character that goes with the one before has its script, and one that goes
with all has none. The scripts get numbers; their names do not matter.
"""

from pathlib import Path

import tokenizers
from tokenizers.pre_tokenizers import UnicodeScripts

OUT = Path(__file__).resolve().parents[2] / "lib" / "data" / "tokenizer" / "unicode-scripts.ts"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
split = UnicodeScripts().pre_tokenize_str


def pieces(text):
    return len(split(text))


def has_none(char):
    """Whether it goes with a Latin and with a Cyrillic letter."""
    return [piece for piece, _ in split(f"a{char}\u0431{char}")] == [f"a{char}", f"\u0431{char}"]


def script_of(code, known):
    """The number of a script that was seen, or of a new one; 0 for none."""
    char = chr(code)
    if has_none(char):
        return 0
    for number, other in enumerate(known[1:], 1):
        if pieces(other + char) == 1:
            return number
    known.append(char)
    return len(known) - 1


def base36(number):
    result = ""
    while number or not result:
        number, digit = divmod(number, 36)
        result = DIGITS[digit] + result
    return result


def main():
    known = ["", "a", "\u0431"]
    ranges = []
    last = 0
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000:
            script = last
        # Most go with the one before, which is asked first.
        elif last != 0 and pieces(known[last] + chr(code)) == 1 and not has_none(chr(code)):
            script = last
        else:
            script = script_of(code, known)
        if not ranges or script != last:
            ranges.append((code, script))
        last = script
    parts = []
    for (start, script), (end, _) in zip(ranges, [*ranges[1:], (0x110000, 0)]):
        parts.append(f"{base36(end - start)}.{base36(script)}")
    lines, line = [], ""
    for part in parts:
        if len(line) + len(part) > 118:
            lines.append(line)
            line = ""
        line += ("" if line == "" else " ") + part
    lines.append(line)
    body = " +\n".join(f"  '{line}{' ' if i < len(lines) - 1 else ''}'" for i, line in enumerate(lines))
    head = f"""/**
 * Made by test/parity/make_unicode_scripts.py from tokenizers {tokenizers.__version__}; do not edit.
 * All characters from U+0000 on, as ranges: how long each is, and the number of its script, in base 36. 0 is no script.
 */
"""
    OUT.write_text(f"{head}export const scriptRanges =\n{body}\n")
    print(len(parts), "ranges,", len(known) - 1, "scripts,", OUT.stat().st_size, "bytes")


main()
