// Texts that tiny random encoder-decoder models write against transformers' generate(), token for token; golden texts by
// test/parity/make_generation.py. Then what must not change them: batches, threads, the order of jobs.
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import type {
  ConfigObject,
  DType,
  GeneratedAnswer,
  GenerationOptions,
  NativeEncoder,
  PackedBatch,
} from '../../lib/native/types.js'
import { inUnits } from './architectures.js'
import { addon, load, type Tensors, trainerSpec } from './support.js'

/** Arguments of transformers' generate(). */
interface Arguments {
  max_new_tokens: number
  min_new_tokens?: number
  num_beams?: number
  num_return_sequences?: number
  early_stopping?: boolean | 'never'
  length_penalty?: number
  no_repeat_ngram_size?: number
  eos_token_id: number[]
}

interface Model {
  config: ConfigObject
  ownHead: boolean
  weights: Record<string, { shape: number[]; data: string }>
  prompts: string[]
  modes: Record<string, { arguments: Arguments; answers: string[][] }>
}

const FILE = new URL('../../../test/parity/golden/generation.json', import.meta.url)
const MODELS: Record<string, Model> = JSON.parse(readFileSync(FILE, 'utf8'))
const START = 3

const bytes = (text: string) => [...Buffer.from(text, 'base64')]

async function open(name: string, dtype: DType = 'float32'): Promise<NativeEncoder> {
  const { config, ownHead, weights } = MODELS[name]!
  const spec = { modules: [], pooler: false, decoder: true, ownHead, device: 'cpu', dtype }
  const encoder = new addon.Encoder({ architecture: config.model_type as string, config, ...spec })
  const values: Tensors = new Map(
    Object.entries(weights).map(([tensor, { data }]) => {
      return [`0.${tensor}`, inUnits(new Int8Array(Buffer.from(data, 'base64')))]
    }),
  )
  await load(encoder, values)
  return encoder
}

function batchOf(prompts: readonly number[][]): PackedBatch {
  const offsets = [0]
  for (const { length } of prompts) offsets.push(offsets.at(-1)! + length)
  return { ids: Int32Array.from(prompts.flat()), offsets: Int32Array.from(offsets), columns: 1 }
}

function optionsOf(given: Arguments): GenerationOptions {
  return {
    start: START,
    ends: Int32Array.from(given.eos_token_id),
    mostTokens: given.max_new_tokens,
    leastTokens: given.min_new_tokens ?? 0,
    beams: given.num_beams ?? 1,
    answers: given.num_return_sequences ?? 1,
    earlyStopping: given.early_stopping ?? false,
    lengthPenalty: given.length_penalty ?? 1,
    noRepeatNgram: given.no_repeat_ngram_size ?? 0,
  }
}

/** Answers by prompt, in order; `meanwhile` submits other work while a job runs. */
async function generate(
  encoder: NativeEncoder,
  prompts: readonly number[][],
  options: GenerationOptions,
  meanwhile?: (job: Promise<unknown>) => Promise<void>,
): Promise<number[][][]> {
  const generation = new addon.Generation(encoder, batchOf(prompts), options)
  const found: GeneratedAnswer[] = []
  for (let done = false; !done; ) {
    const running = generation.next()
    await meanwhile?.(running)
    const job = await running
    found.push(...job.answers)
    done = job.done
  }
  await generation.dispose()
  return prompts.map((_, prompt) =>
    found
      .filter((answer) => answer.prompt === prompt)
      .sort((a, b) => a.number - b.number)
      .map(({ ids }) => [...ids]),
  )
}

for (const [name, { prompts, modes }] of Object.entries(MODELS)) {
  const texts = prompts.map(bytes)
  for (const [mode, { arguments: given, answers }] of Object.entries(modes)) {
    test(`${name}, ${mode}: every token is transformers'`, async (t) => {
      const expected = answers.map((of) => of.map(bytes))
      for (const dtype of ['float32', 'float64'] as const) {
        const encoder = await open(name, dtype)
        t.deepEqual(await generate(encoder, texts, optionsOf(given)), expected, dtype)
        await encoder.dispose()
      }
    })
  }

  test(`${name}: other batches, jobs in between and queries inside of jobs change nothing`, async (t) => {
    const encoder = await open(name)
    const few = texts.slice(0, 12)
    for (const sample of [false, true]) {
      const options = { ...optionsOf(modes['4 beams']!.arguments), sample, seed: 5 }
      const expected = await generate(encoder, few, options)
      const encode = async (lane: 'query' | 'bulk') => {
        const out = new Float32Array(few[3]!.length * encoder.tokenDimension)
        await encoder.encode(batchOf([few[3]!]), out, 'token_embeddings', { lane })
        return out
      }
      const tokens = await encode('bulk')
      const inBetween = async () => void (await encode('bulk'))
      t.deepEqual(await generate(encoder, few, options, inBetween), expected)
      let inside = 0
      const asQuery = async (job: Promise<unknown>) => {
        await setTimeout(1) // so that the job has begun, which a query would overtake otherwise
        const query = encode('query')
        inside += Number((await Promise.race([job.then(() => 0), query.then(() => 1)])) === 1)
        t.deepEqual(await query, tokens)
      }
      t.deepEqual(await generate(encoder, few, options, asQuery), expected)
      t.true(inside > 0, 'a query ended before the job that it ran inside of')
      for (const [i, text] of few.entries()) {
        t.deepEqual(await generate(encoder, [text], { ...options, firstPrompt: i }), [expected[i]!])
      }
    }
    await encoder.dispose()
  })
}

test('bfloat16 writes texts, most of them the same', async (t) => {
  const { prompts, modes } = MODELS.t5!
  const { arguments: given, answers } = modes.greedy!
  const encoder = await open('t5', 'bfloat16')
  const found = await generate(encoder, prompts.map(bytes), optionsOf(given))
  const equal = found.filter(([text], i) => String(text) === String(bytes(answers[i]![0]!))).length
  t.true(equal >= 0.5 * prompts.length, `${equal} of ${prompts.length}`)
  await encoder.dispose()
})

test('a seed gives the same draws, another one others, and answers differ', async (t) => {
  const { prompts, modes } = MODELS.t5!
  const encoder = await open('t5')
  const options = {
    ...optionsOf(modes.greedy!.arguments),
    sample: true,
    answers: 3,
    temperature: 0.8,
    topK: 20,
    topP: 0.95,
  }
  const few = prompts.slice(0, 8).map(bytes)
  const first = await generate(encoder, few, { ...options, seed: 1 })
  t.deepEqual(await generate(encoder, few, { ...options, seed: 1 }), first)
  t.notDeepEqual(await generate(encoder, few, { ...options, seed: 2 }), first)
  t.true(first.every((of) => of.length === 3))
  t.true(first.some(([a, b]) => String(a) !== String(b)))
  await encoder.dispose()
})

test('a trainer that computes in bfloat16 may come between two jobs', async (t) => {
  const encoder = await open('t5')
  const batch = batchOf([[4, 5, 6]])
  const generation = new addon.Generation(encoder, batch, { start: START, ends: Int32Array.of(), mostTokens: 5 })
  t.deepEqual(await generation.next(), { answers: [], done: false }, 'the prompt is read')
  const trainer = new addon.Trainer(encoder, trainerSpec({ type: 'TokenCrossEntropy' }, { precision: 'bfloat16' }))
  await trainer.evaluate({ ...batch, targets: { ids: Int32Array.of(7, 1), offsets: Int32Array.of(0, 2) } })
  const answers: GeneratedAnswer[] = []
  for (let done = false; !done; ) {
    const job = await generation.next()
    answers.push(...job.answers)
    done = job.done
  }
  t.deepEqual(
    answers.map(({ ids }) => ids.length),
    [5],
  )
  await trainer.dispose()
  await generation.dispose()
  await encoder.dispose()
})

test('the size of the cache is known, and what does not fit is refused', async (t) => {
  const encoder = await open('t5')
  const batch = batchOf([[4, 5, 6], [7]])
  const options: GenerationOptions = { start: START, ends: Int32Array.of(1), mostTokens: 10 }
  // 2 layers, keys and values of 2 heads of 5 in float32: 2 texts of 10 tokens. Of 4 tokens of prompts the encoder's states, or with
  // several texts of a prompt keys and values in each layer, too.
  const each = 2 * 2 * 10 * 4
  const width = MODELS.t5!.config.d_model as number
  t.is(new addon.Generation(encoder, batch, options).bytes, each * 2 * 10 + 4 * width * 4)
  t.is(new addon.Generation(encoder, batch, { ...options, beams: 3 }).bytes, each * (6 * 10 + 4))
  const refused = (changes: Partial<GenerationOptions>, message: RegExp) => {
    const error = t.throws(() => new addon.Generation(encoder, batch, { ...options, ...changes }))
    t.like(error, { code: 'ERR_INVALID_ARGUMENT' })
    t.regex(error!.message, message)
  }
  refused({ beams: 41 }, /as many beams as the vocabulary has tokens, 40, found 41/)
  refused({ temperature: 0, sample: true }, /temperature above 0, found 0/)
  refused({ answers: 2 }, /one answer without sampling and beams, found 2/)
  refused({ ends: Int32Array.of(40) }, /ends from 0 to 39, found 40/)
  t.throws(() => new addon.Generation(encoder, batchOf([[]]), options), { message: /rising offsets/ })
  t.throws(() => new addon.Generation(encoder, batchOf([[40]]), options), { message: /40/ })

  const generation = new addon.Generation(encoder, batch, options)
  await generation.dispose()
  await generation.dispose()
  await t.throwsAsync(generation.next(), { code: 'ERR_DISPOSED' })
  const open2 = new addon.Generation(encoder, batch, options)
  await encoder.dispose()
  await t.throwsAsync(open2.next(), { code: 'ERR_DISPOSED' })
})
