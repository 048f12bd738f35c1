"""One tokenising trial of the Python peer: its tokenizer in Rust, all texts in one call, on its own choice of threads."""

import time

from machine import arguments, facts, say
from transformers import AutoTokenizer


def main():
    options = arguments()
    texts = options.columns["texts"]
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    tokenizer(texts[: options.warm_up], truncation=True, max_length=256)
    start = time.perf_counter()
    found = tokenizer(texts, truncation=True, max_length=256)
    seconds = time.perf_counter() - start
    say({"perSecond": len(texts) / seconds, "texts": len(texts), "tokens": sum(map(len, found["input_ids"])), **facts()})


if __name__ == "__main__":
    main()
