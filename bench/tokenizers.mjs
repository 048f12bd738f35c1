// Tokenizers of any kind, one thread each: `node bench/tokenizers.mjs FOLDER...` prints a line of JSON for each folder with a
// tokenizer.json: seconds to parse and to load, and sentences a second of our fast way, of our general way, of the npm library
// and of Python's `tokenizers` (Rust), in the same minute. Texts: the sentences of the STS benchmark, or --texts FILE (a line each).
// CPU seconds count, not the clock's, so that a busy machine disturbs less.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { IdBuffer } from '../dist/lib/data/id-buffer.js'
import { makeNormalizer } from '../dist/lib/data/tokenizer/normalizers.js'
import { Pipeline } from '../dist/lib/data/tokenizer/pipeline.js'
import { Tokenizer } from '../dist/lib/data/tokenizer.js'

const root = new URL('../', import.meta.url)
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { texts: { type: 'string' }, python: { type: 'string' }, passes: { type: 'string', default: '3' } },
})
const python =
  values.python ??
  process.env.SENTENCE_TORCH_BENCH_PYTHON ??
  fileURLToPath(new URL('bench/peers/venv/bin/python', root))

/** The best of some passes, and the first, in which every word is new. */
function perSecond(texts, encode) {
  const rates = Array.from({ length: Number(values.passes) }, () => {
    const start = process.cpuUsage()
    encode(texts)
    return texts.length / (process.cpuUsage(start).user / 1e6)
  })
  return { first: Math.round(rates[0]), best: Math.round(Math.max(...rates)) }
}

function cpuSeconds(work) {
  const start = process.cpuUsage()
  const result = work()
  return [result, process.cpuUsage(start).user / 1e6]
}

function sentences() {
  if (values.texts) return readFileSync(values.texts, 'utf8').split('\n').filter(Boolean)
  const lines = ['train', 'dev'].flatMap((name) =>
    readFileSync(new URL(`../shared/data/stsb/${name}.tsv`, root), 'utf8')
      .split('\n')
      .slice(1),
  )
  return lines
    .filter(Boolean)
    .flatMap((line) => line.split('\t').filter((field) => /[a-z]{2}/.test(field) && field.includes(' ')))
}

const rust = `
import json, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer
start = time.process_time()
tokenizer = Tokenizer.from_file(sys.argv[1])
load = time.process_time() - start
tokenizer.no_truncation()
texts = json.load(sys.stdin)
rates = []
for _ in range(int(sys.argv[2])):
    start = time.process_time()
    tokenizer.encode_batch_fast(texts)
    rates.append(len(texts) / (time.process_time() - start))
print(json.dumps({"load": round(load, 3), "first": round(rates[0]), "best": round(max(rates))}))
`

function pythonRates(file, texts) {
  if (!existsSync(python)) return 'no Python: --python'
  const { stdout, stderr, status } = spawnSync(python, ['-c', rust, file, values.passes], {
    input: JSON.stringify(texts),
  })
  return status === 0 ? JSON.parse(stdout) : String(stderr).slice(-200)
}

function libraryRates(json, texts) {
  const { Tokenizer: Library } = createRequire(import.meta.url)('@huggingface/tokenizers')
  try {
    const tokenizer = new Library(json, {})
    return perSecond(texts, (all) => {
      for (const text of all) tokenizer.encode(text, { add_special_tokens: false })
    })
  } catch (error) {
    return String(error).slice(0, 100)
  }
}

const texts = sentences()
for (const folder of positionals) {
  const file = join(folder, 'tokenizer.json')
  const config = { tokenizer_class: 'PreTrainedTokenizerFast' }
  const [json, parse] = cpuSeconds(() => JSON.parse(readFileSync(file, 'utf8')))
  const [tokenizer, load] = cpuSeconds(() => Tokenizer.fromFiles(json, config, { maxSeqLength: 512 }))
  const ours = perSecond(texts, (all) => tokenizer.encode(all))
  const pipeline = new Pipeline(json, makeNormalizer(json.normalizer))
  const general = perSecond(texts, (all) => {
    const ids = new IdBuffer(all.length)
    for (const text of all) for (const _ of pipeline.append(text, ids, 512));
  })
  const found = { folder, texts: texts.length, parse, load, ours, general }
  console.log(JSON.stringify({ ...found, library: libraryRates(json, texts), python: pythonRates(file, texts) }))
}
