import test from 'ava'
import { embeddings } from '../../lib/models/embeddings.js'
import { scores } from '../../lib/models/scores.js'
import { SparseEmbeddings } from '../../lib/models/sparse-embeddings.js'
import { TokenEmbeddings } from '../../lib/models/token-embeddings.js'
import type { Ranks } from '../../lib/training/distributed/ranks.js'
import { SharedModel } from '../../lib/training/distributed/shared-model.js'

/** Processes in one: each call waits for the same call of the others. */
function ranksOf(size: number): Ranks[] {
  const calls = Array.from({ length: size }, () => 0)
  const meetings: { values: unknown[]; done: Promise<void>; end: () => void }[] = []
  const meet = async <T>(rank: number, value: T): Promise<T[]> => {
    const number = calls[rank]!++
    if (meetings[number] === undefined) {
      let end = () => {}
      const done = new Promise<void>((resolve) => {
        end = resolve
      })
      meetings[number] = { values: [], done, end }
    }
    const meeting = meetings[number]
    meeting.values[rank] = value
    if (Object.keys(meeting.values).length === size) meeting.end()
    await meeting.done
    return meeting.values as T[]
  }
  return Array.from({ length: size }, (_, rank) => {
    const own = {
      ...{ rank, size, isMain: rank === 0 },
      exchange: (value: unknown) => meet(rank, JSON.parse(JSON.stringify(value))),
      fromMain: async (make: () => Promise<unknown>) => {
        const value = rank === 0 ? JSON.parse(JSON.stringify(await make())) : undefined
        return (await meet(rank, value))[0]
      },
      gather: (bytes: Uint8Array) => meet(rank, bytes.slice()),
    }
    return own as unknown as Ranks
  })
}

/** A model that notes how many texts it has encoded. */
class Model {
  #texts = 0
  fails = false

  get texts(): number {
    return this.#texts
  }

  #lengths(texts: readonly (string | readonly string[])[]): number[] {
    if (this.fails) throw new Error('no memory')
    this.#texts += texts.length
    return texts.map((text) => text.length * 2 + Number(text.at(-1)!.at(-1)))
  }

  async encode(texts: readonly string[] | string, options: { truncateDim?: number; outputValue?: string } = {}) {
    if (typeof texts === 'string') return Float32Array.of(...this.#lengths([texts]))
    const { truncateDim: width = 3 } = options
    const rows = this.#lengths(texts)
    return embeddings(
      Float32Array.from(rows.flatMap((value) => new Array<number>(width).fill(value))),
      rows.length,
      width,
    )
  }

  async encodeQuery(texts: readonly string[]) {
    const row = (value: number) => ({ indices: Int32Array.of(value % 7, 9), values: Float32Array.of(value, 1) })
    return SparseEmbeddings.fromRows(this.#lengths(texts).map(row), 30)
  }

  async encodeDocument(texts: readonly string[]) {
    const row = (value: number) => embeddings(new Float32Array(2 * ((value % 3) + 1)).fill(value), (value % 3) + 1, 2)
    return TokenEmbeddings.fromRows(this.#lengths(texts).map(row), 2)
  }

  async predict(pairs: readonly (readonly string[])[]) {
    return scores(Float32Array.from(this.#lengths(pairs)), pairs.length, 1)
  }
}

type Work = (model: Model) => Promise<unknown>

/** What `work` gives on rank 0, with the models of all. */
async function run(size: number, work: Work, change: (model: Model, rank: number) => void = () => {}) {
  const models = Array.from({ length: size }, () => new Model())
  for (const [rank, model] of models.entries()) change(model, rank)
  let result: unknown
  const ends = await Promise.all(
    ranksOf(size).map((ranks, rank) => {
      const shared = new SharedModel(models[rank]!, ranks)
      return shared.fromMain(async () => {
        result = await work(shared.model)
        return 'done'
      })
    }),
  )
  return { result, ends, texts: models.map(({ texts }) => texts) }
}

const texts = Array.from({ length: 103 }, (_, i) => `${'x'.repeat((i * 37) % 50)}${i % 10}`)

for (const method of ['encode', 'encodeQuery', 'encodeDocument', 'predict'] as const) {
  test(`the rows of ${method} are those of one process`, async (t) => {
    const given = method === 'predict' ? texts.map((text) => [text, text] as const) : texts
    const work: Work = (model) => (model[method] as (inputs: unknown) => Promise<unknown>)(given)
    const one = (await work(new Model())) as { row(i: number): unknown; constructor: unknown }
    const { result, ends, texts: encoded } = await run(3, work)
    const rows = result as typeof one
    t.is(rows.constructor, one.constructor)
    for (let i = 0; i < texts.length; i++) t.is(JSON.stringify(rows.row(i)), JSON.stringify(one.row(i)))
    t.deepEqual(ends, ['done', 'done', 'done'])
    t.deepEqual(encoded, [35, 34, 34])
  })
}

test('an evaluator may ask for anything, in any order', async (t) => {
  const { result, texts: encoded } = await run(2, async (model) => {
    const all = await Promise.all([
      model.encode(texts, { truncateDim: 1 }),
      model.encodeQuery(texts),
      // Alone: one text, few texts, and what is no embedding of a text.
      model.encode('x5'),
      model.encode(texts.slice(0, 3)),
      model.encode(texts, { outputValue: 'token_embeddings' }),
    ])
    t.true(model instanceof Model)
    t.is(model.constructor, Model)
    model.fails = true
    await t.throwsAsync(model.encode(texts), { message: 'no memory' })
    model.fails = false
    return [...all, model.texts]
  })
  const [first, query, single, few, alone, sum] = result as [{ shape: number[] }, SparseEmbeddings, ...unknown[]]
  t.deepEqual(first.shape, [103, 1])
  t.is(query.length, 103)
  t.deepEqual(
    [single, (few as typeof first).shape, (alone as typeof first).shape],
    [Float32Array.of(9), [3, 3], [103, 3]],
  )
  t.is(sum, 52 + 52 + 1 + 3 + 103)
  t.deepEqual(encoded, [211, 51 + 51 + 51])
})

test('whose share fails is named', async (t) => {
  const failing = run(
    2,
    async (model) => {
      await t.throwsAsync(model.encode(texts), {
        code: 'ERR_DISTRIBUTED',
        message: 'Rank 1 cannot encode its share: no memory',
      })
      return 'the evaluator goes on'
    },
    (model, rank) => {
      model.fails = rank === 1
    },
  )
  const { result, ends } = await failing
  t.is(result, 'the evaluator goes on')
  t.deepEqual(ends, ['done', 'done'])
})

test('after the evaluation rank 0 encodes alone', async (t) => {
  const [main, other] = ranksOf(2)
  const shared = new SharedModel(new Model(), main!)
  const waits = new SharedModel(new Model(), other!).fromMain(async () => null)
  t.is(await shared.fromMain(async () => null), null)
  t.is(await waits, null)
  await shared.model.encode(texts)
  t.is(shared.model.texts, 103)
})
