"""One encoding trial of the Python peer: the counterpart of encode.mjs, same texts and batch size."""

import time

from machine import arguments, autocast, facts, latencies, load, say


def main():
    options = arguments()
    texts = options.columns["texts"]
    model = load(options)
    with autocast(options):
        if options.each == "true":
            found = latencies(texts, options.warm_up, lambda text: model.encode([text]))
        else:
            found = throughput(options, model, texts)
    say({**found, **facts()})


def throughput(options, model, texts):
    model.encode(texts[: options.warm_up], batch_size=options.batch_size)
    start, cpu = time.perf_counter(), time.process_time()
    embeddings = model.encode(texts, batch_size=options.batch_size)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    if options.out:
        embeddings.astype("float32").tofile(options.out)
    return {"perSecond": len(texts) / seconds, "perCpuSecond": len(texts) / cpu_seconds, "texts": len(texts),
            "batchSize": options.batch_size}


if __name__ == "__main__":
    main()
