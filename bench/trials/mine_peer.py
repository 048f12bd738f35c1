"""mine_hard_negatives of the Python peer: the counterpart of mine.mjs, over the same rows."""

import time

from datasets import Dataset
from machine import arguments, autocast, facts, load, say
from sentence_transformers.util import mine_hard_negatives

options = arguments()
model = load(options)
with autocast(options):
    model.encode(options.columns["anchor"][: options.batch_size])
    start = time.perf_counter()
    mined = mine_hard_negatives(Dataset.from_dict(options.columns), model, num_negatives=3, batch_size=options.batch_size, verbose=False)
    seconds = time.perf_counter() - start
say({"seconds": seconds, "rows": len(options.columns["anchor"]), "mined": len(mined), **facts()})
