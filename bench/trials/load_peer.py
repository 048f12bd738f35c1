"""From the start of the process to the first embedding, the Python peer; and the loading of the model alone, whose modules are
imported before the clock starts."""

import time

from machine import arguments, facts, load, say


def import_modules(folder):
    """transformers imports those of an architecture when it is first used."""
    import sentence_transformers  # noqa: F401
    from transformers import MODEL_MAPPING, TOKENIZER_MAPPING, AutoConfig

    config = type(AutoConfig.from_pretrained(folder))
    MODEL_MAPPING[config], TOKENIZER_MAPPING[config]


if __name__ == "__main__":
    options = arguments()
    import_modules(options.model)
    start, cpu = time.perf_counter(), time.process_time()
    model = load(options)
    loaded, loaded_cpu = time.perf_counter() - start, time.process_time() - cpu
    model.encode(["How late is it?"])
    ready = time.perf_counter() - start
    first = 1000 * time.time() - options.started
    say({"firstMs": first, "loadMs": 1000 * loaded, "loadCpuMs": 1000 * loaded_cpu, "readyMs": 1000 * ready, **facts()})
