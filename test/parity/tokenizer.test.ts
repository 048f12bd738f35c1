import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import { equal } from './report.js'

const root = new URL('../../../', import.meta.url)
const shared = new URL('../shared/', root)
const model = new URL('models/all-MiniLM-L6-v2/', shared)
const readJson = (url: URL) => JSON.parse(readFileSync(url, 'utf8'))

type Digests = Record<string, { texts: number; ids: number; sha256: string }>
const { versions, ...files } = readJson(new URL('test/parity/golden/tokenizer/data.json', root)) as Record<
  string,
  Digests
>

/** Every string of a JSONL file, every field of a TSV file after its header: as make_tokenizer_golden.py has them. */
function textsOf(url: URL): string[] {
  const bytes = readFileSync(url)
  const lines = (url.pathname.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n')
  if (lines.at(-1) === '') lines.pop()
  if (url.pathname.endsWith('.tsv')) return lines.slice(1).flatMap((line) => line.split('\t'))
  return lines.flatMap((line) => Object.values(JSON.parse(line))).filter((value) => typeof value === 'string')
}

for (const [file, digests] of Object.entries(files)) {
  test(`all token ids of ${file} equal Python's`, (t) => {
    const url = new URL(`data/${file}`, shared)
    if (!existsSync(url) || !existsSync(model)) {
      t.log('skipped: ../shared is not there')
      return t.pass()
    }
    const tokenizer = Tokenizer.fromFiles(
      readJson(new URL('tokenizer.json', model)),
      readJson(new URL('tokenizer_config.json', model)),
      { maxSeqLength: 256 },
    )
    const texts = textsOf(url)
    for (const [length, expected] of Object.entries(digests)) {
      const { ids, offsets } = tokenizer.encode(texts, Number(length))
      const sha256 = createHash('sha256')
        .update(new Uint8Array(ids.buffer))
        .update(new Uint8Array(offsets.buffer))
        .digest('hex')
      t.deepEqual(
        { texts: offsets.length - 1, ids: ids.length, sha256 },
        expected,
        `made with ${JSON.stringify(versions)}`,
      )
      equal('tokenizer', 'token ids', texts.length)
    }
  })
}
