import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import { concatTokenized, selectRows, type Tokenized } from '../../lib/data/pack.js'
import { Tokenizer } from '../../lib/data/tokenizer.js'

const root = new URL('../../../', import.meta.url)
const golden = new URL('test/parity/golden/tokenizer/', root)
const model = new URL('../shared/models/all-MiniLM-L6-v2/', root)

interface Digest {
  texts: number
  ids: number
  sha256: string
}

interface Nasty {
  texts: (string | [string, number])[]
  maxLength: number
  config: object
  tiny: number[][]
  real: number[][]
  tinyVariants: ({ config: object } & Digest)[]
  cuts: number[][]
  characters: Digest
  charactersWithAccents: Digest
  fuzzParts: string[]
  fuzz: ({ config: object } & Digest)[]
}

const readJson = (url: URL) => JSON.parse(readFileSync(url, 'utf8'))
const nasty: Nasty = readJson(new URL('nasty.json', golden))
const tinyJson = readJson(new URL('tiny.json', golden))
const texts = nasty.texts.map((text) => (typeof text === 'string' ? text : text[0].repeat(text[1])))

function tiny(config: object = {}, maxSeqLength = nasty.maxLength, doLowerCase = false): Tokenizer {
  return Tokenizer.fromFiles(tinyJson, { ...nasty.config, ...config }, { maxSeqLength, doLowerCase })
}

function rowsOf({ ids, offsets }: Tokenized): number[][] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => [...ids.subarray(offsets[i]!, offsets[i + 1]!)])
}

function digest({ ids, offsets }: Tokenized): Digest {
  const bytes = (values: Int32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  const sha256 = createHash('sha256').update(bytes(ids)).update(bytes(offsets)).digest('hex')
  return { texts: offsets.length - 1, ids: ids.length, sha256 }
}

function everyCharacter(): string[] {
  const lines: string[] = []
  for (let start = 0; start < 0x20000; start += 64) {
    if (start >= 0xd800 && start < 0xe000) continue
    lines.push(Array.from({ length: 64 }, (_, i) => `a${String.fromCodePoint(start + i)}b`).join(' '))
  }
  return lines
}

test('nasty texts get the ids of Python, small tokenizer', (t) => {
  const rows = rowsOf(tiny().encode(texts))
  for (const [i, expected] of nasty.tiny.entries()) t.deepEqual(rows[i], expected, JSON.stringify(nasty.texts[i]))
})

test('nasty texts get the ids of Python, all-MiniLM-L6-v2', (t) => {
  if (!existsSync(model)) {
    t.log('skipped: ../shared/models is not there')
    return t.pass()
  }
  const config = readJson(new URL('tokenizer_config.json', model))
  const tokenizer = Tokenizer.fromFiles(readJson(new URL('tokenizer.json', model)), config, { maxSeqLength: 256 })
  t.is(tokenizer.vocabSize, 30522)
  const rows = rowsOf(tokenizer.encode(texts))
  for (const [i, expected] of nasty.real.entries()) t.deepEqual(rows[i], expected, JSON.stringify(nasty.texts[i]))
})

test('tokenizer_config.json decides on case, accents and CJK as in Python', (t) => {
  for (const { config, ...expected } of nasty.tinyVariants) {
    t.deepEqual(digest(tiny(config, 512).encode(texts)), expected, JSON.stringify(config))
  }
})

test('every character of the first two planes is cleaned, split and stripped as in Python', (t) => {
  const lines = everyCharacter()
  t.deepEqual(digest(tiny({}, 10 ** 6).encode(lines)), nasty.characters)
  t.deepEqual(digest(tiny({ strip_accents: false }, 10 ** 6).encode(lines)), nasty.charactersWithAccents)
})

test('20,000 texts of odd parts get the ids of Python', (t) => {
  let state = 1
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) % below
  }
  const part = () => nasty.fuzzParts[draw(nasty.fuzzParts.length)]!
  const fuzzed = Array.from({ length: 20_000 }, () => Array.from({ length: draw(40) }, part).join(''))
  for (const { config, ...expected } of nasty.fuzz) {
    t.deepEqual(digest(tiny(config, 512).encode(fuzzed)), expected, JSON.stringify(config))
  }
})

test('do_lower_case lowers before the tokenizer does anything', (t) => {
  const cased = tiny({ do_lower_case: false })
  const lowered = tiny({ do_lower_case: false }, 256, true)
  t.deepEqual(lowered.encode(['HELLO Wörld ΑΣ']), cased.encode(['hello wörld ασ']))
  t.notDeepEqual(lowered.encode(['HELLO']), cased.encode(['HELLO']))
})

test('cutting takes content and leaves the special tokens, whatever tokenizer.json says about truncation', (t) => {
  t.truthy(tinyJson.truncation)
  const tokenizer = tiny()
  for (const [i, expected] of nasty.cuts.entries()) {
    t.deepEqual([...tokenizer.encode(['one two three four five six'], i + 2).ids], expected)
  }
  tokenizer.maxSeqLength = 3
  t.is(tokenizer.encode(['one two three']).ids.length, 3)
  t.throws(() => tokenizer.encode(['a'], 1), { code: 'ERR_INVALID_ARGUMENT', message: /at least 2/ })
  t.throws(() => {
    tokenizer.maxSeqLength = 2.5
  })
})

test('truncation_side left keeps the end', (t) => {
  const [cls, , , , last, sep] = tiny().encode(['one two three four']).ids
  t.deepEqual([...tiny({ truncation_side: 'left' }).encode(['one two three four'], 3).ids], [cls, last, sep])
})

test('lone surrogates become U+FFFD, pairs stay', (t) => {
  const tokenizer = tiny()
  t.deepEqual(tokenizer.encode(['a\ud800b', '\udc00', 'x\ud83d']), tokenizer.encode(['a\ufffdb', '\ufffd', 'x\ufffd']))
})

test('what is no text is named', async (t) => {
  const wrong = ['a', 3 as unknown as string]
  t.throws(() => tiny().encode(wrong), { code: 'ERR_INVALID_ARGUMENT', message: /a string for texts\[1\].* 3/ })
  await t.throwsAsync(tiny().encodeAll(wrong), { code: 'ERR_INVALID_ARGUMENT', message: /texts\[1\]/ })
})

test('no texts, no tokens', async (t) => {
  const none = { ids: new Int32Array(0), offsets: new Int32Array(1) }
  t.deepEqual(tiny().encode([]), none)
  t.deepEqual(await tiny().encodeAll([]), none)
})

test('a tokenizer.json that makes no sense is an error with a code', (t) => {
  // Classes of BERT build their own parts: what the file says of them is not read.
  const config = { tokenizer_class: 'PreTrainedTokenizerFast' }
  const make = (json: object) => () => Tokenizer.fromFiles(json, config, { maxSeqLength: 8 })
  t.throws(make({}), { code: 'ERR_INVALID_MODEL' })
  t.throws(make({ ...tinyJson, model: { type: 'Nonsense' } }), { code: 'ERR_INVALID_MODEL' })
  t.throws(make({ ...tinyJson, pre_tokenizer: { type: 'Nonsense' } }), { code: 'ERR_INVALID_MODEL' })
  t.throws(make({ ...tinyJson, post_processor: { type: 'Nonsense' } }), { code: 'ERR_INVALID_MODEL' })
})

test('old files do not say of what type their model is', (t) => {
  const { type: _, ...model } = tinyJson.model
  const old = Tokenizer.fromFiles({ ...tinyJson, model }, nasty.config, { maxSeqLength: nasty.maxLength })
  t.deepEqual(rowsOf(old.encode(texts)), nasty.tiny)
})

test('BertProcessing, Sequence and no post-processor', (t) => {
  const plain = [...tiny().encode(['one two']).ids].slice(1, -1)
  const config = { ...nasty.config, tokenizer_class: 'PreTrainedTokenizerFast' }
  const encode = (post_processor: object | null) => {
    const tokenizer = Tokenizer.fromFiles({ ...tinyJson, post_processor }, config, { maxSeqLength: 16 })
    return [...tokenizer.encode(['one two']).ids]
  }
  t.deepEqual(encode(null), plain)
  const bert = { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] }
  t.deepEqual(encode(bert), [2, ...plain, 3])
  t.deepEqual(encode({ type: 'Sequence', processors: [{ type: 'ByteLevel' }, bert] }), [2, ...plain, 3])
})

test('the prompt counts with the first special token and without the last', (t) => {
  const tokenizer = tiny()
  t.is(tokenizer.promptLength('one two'), 3)
  t.is(tokenizer.promptLength(''), 1)
})

test('small jobs in slices and big jobs in threads give the same ids in the same order', async (t) => {
  const tokenizer = tiny()
  const small = texts.slice(0, 60)
  t.deepEqual(await tokenizer.encodeAll(small), tokenizer.encode(small))
  const many = Array.from({ length: 2500 }, (_, i) => `${i} ${texts[i % 60]}`)
  const expected = tokenizer.encode(many, 20)
  t.deepEqual(await tokenizer.encodeAll(many, 20), expected, 'WordPiece needs no threads')
  const threads = { workers: 2 }
  const [one, two] = await Promise.all([tokenizer.encodeAll(many, 20, threads), tokenizer.encodeAll(many, 30, threads)])
  t.deepEqual(one, expected)
  t.deepEqual(two, tokenizer.encode(many, 30))
  await tokenizer.dispose()
  t.deepEqual(await tokenizer.encodeAll(many, 20, threads), expected, 'and again after its threads were ended')
  await tokenizer.dispose()
})

test('an abort ends small and big jobs and leaves the tokenizer usable', async (t) => {
  const tokenizer = tiny()
  const many = Array.from({ length: 4000 }, (_, i) => `text number ${i}`)
  await t.throwsAsync(tokenizer.encodeAll(['a'], 8, { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
  // Texts of new words, so that the job on this thread is not over before it is stopped.
  const long = many.map((text, i) =>
    Array.from({ length: 40 }, (_, k) => `${text}${(i * 40 + k).toString(36)}`).join(' '),
  )
  for (const threads of [{ workers: 1 }, {}]) {
    const controller = new AbortController()
    const job = tokenizer.encodeAll(long, 10 ** 6, { signal: controller.signal, ...threads })
    controller.abort(new Error('enough'))
    const error = await t.throwsAsync(job, { code: 'ERR_ABORTED' })
    t.is((error.cause as Error).message, 'enough')
  }
  t.deepEqual(await tokenizer.encodeAll(many, 8), tokenizer.encode(many, 8))
  await tokenizer.dispose()
})

test('disposing rejects what is running', async (t) => {
  const tokenizer = tiny()
  const some = Array.from({ length: 4000 }, (_, i) => `text ${i}`)
  const job = tokenizer.encodeAll(some, 16, { workers: 1 })
  const rejected = t.throwsAsync(job, { code: 'ERR_DISPOSED' })
  await new Promise((resolve) => setTimeout(resolve, 1))
  await tokenizer.dispose()
  await rejected
})

test('rows of a tokenised list can be picked and lists joined', (t) => {
  const tokenizer = tiny()
  const all = tokenizer.encode(texts.slice(0, 40))
  const some = [3, 3, 0, 39]
  t.deepEqual(selectRows(all, some), tokenizer.encode(some.map((i) => texts[i]!)))
  t.deepEqual(concatTokenized([tokenizer.encode(texts.slice(0, 7)), tokenizer.encode(texts.slice(7, 40))]), all)
})
