// Static models: tables distilled from a BERT, tokenizers and vectors are model2vec's; its folders load.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Normalize, SentenceTransformer, StaticEmbedding } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

interface Case {
  options: { pca_dims?: number | null; sif_coefficient?: number | null; token_remove_pattern?: string }
  tokens: string[]
  table: number[][]
  ids: number[][]
  encoded: number[][]
  python: number
}
const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/distillation/', import.meta.url))
const golden: {
  sentences: string[]
  cases: Case[]
  folders: Record<'model2vec' | 'mapped', { encoded: number[][] }>
} = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8'))
const TEACHER = join(FOLDER, 'teacher')
const furthest = (a: ArrayLike<number>, b: readonly number[]) =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!)), a.length === b.length ? 0 : Number.NaN)
/** There, unknown words are left out of the mean. */
const isKnown = (i: number, { ids, tokens } = golden.cases[0]!) => !ids[i]!.includes(tokens.indexOf('[UNK]'))

test("tables, vocabularies and vectors are model2vec's", async (t) => {
  for (const one of golden.cases) {
    const { options, tokens, table, ids, encoded, python } = one
    const { pca_dims: pcaDims, sif_coefficient: sifCoefficient, token_remove_pattern: pattern } = options
    const made = await StaticEmbedding.fromDistillation(TEACHER, {
      ...(pcaDims !== undefined && { pcaDims }),
      ...(sifCoefficient !== undefined && { sifCoefficient }),
      ...(pattern !== undefined && { tokenRemovePattern: new RegExp(pattern) }),
    })
    t.deepEqual([made.weights.kind === 'table' && made.weights.table.shape], [[table.length, table[0]!.length]])
    const largest = furthest(new Float64Array(table.flat().length), table.flat())
    const rows = made.weights.kind === 'table' ? made.weights.table.data : []
    const deviation = furthest(rows, table.flat()) / Math.max(1, largest)
    t.true(deviation <= 1e-5, `${JSON.stringify(options)}: ${deviation}`)
    report('distillation', 'fromDistillation', { deviation, allowed: 1e-5, python })

    const model = await SentenceTransformer.fromModules([made, new Normalize()])
    const folder = join(await temporaryFolder(t), 'static')
    await model.save(folder)
    const { vocab } = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')).model
    t.deepEqual(
      Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b]),
      tokens,
    )
    const again = await SentenceTransformer.load(folder)
    for (const loaded of [model, again]) {
      const found = await loaded.encode(golden.sentences)
      golden.sentences.forEach((text, i) => {
        if (!isKnown(i, one)) return
        const off = furthest(found.row(i), encoded[i]!)
        t.true(off <= 1e-5, `${text}: ${off}`)
        report('distillation', 'fromDistillation', { part: 'vectors', deviation: off, allowed: 1e-5 })
      })
    }
    const { inputIds, attentionMask } = await again.tokenize(golden.sentences)
    const longest = inputIds.shape[1]
    const foundIds = golden.sentences.map((_, row) =>
      Array.from(inputIds.data.subarray(row * longest, (row + 1) * longest)).filter(
        (_, i) => attentionMask.data[row * longest + i] === 1,
      ),
    )
    t.deepEqual(foundIds, ids)
    await model.dispose()
    await again.dispose()
  }
})

test('folders of model2vec load, in float16, and with a mapping and weights', async (t) => {
  for (const [name, { encoded }] of Object.entries(golden.folders)) {
    const table = await StaticEmbedding.fromModel2Vec(join(FOLDER, name))
    const whole = await SentenceTransformer.load(join(FOLDER, name))
    const built = await SentenceTransformer.fromModules([table, new Normalize()])
    for (const model of [whole, built]) {
      const found = await model.encode(golden.sentences)
      golden.sentences.forEach((text, i) => {
        if (!isKnown(i)) return
        const deviation = furthest(found.row(i), encoded[i]!)
        t.true(deviation <= 1e-5, `${name}, ${text}: ${deviation}`)
        report('distillation', 'fromModel2Vec', { deviation, allowed: 1e-5 })
      })
      await model.dispose()
    }
  }
})

test('options and models that do not fit are refused', async (t) => {
  const made = (options: object) => StaticEmbedding.fromDistillation(TEACHER, options)
  await t.throwsAsync(made({ pcaDims: 0 }), { code: 'ERR_INVALID_ARGUMENT', message: /pcaDims/ })
  await t.throwsAsync(made({ sifCoefficient: 1 }), { code: 'ERR_INVALID_ARGUMENT', message: /sifCoefficient/ })
  await t.throwsAsync(made({ tokenRemovePattern: /./ }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /tokenRemovePattern/,
  })
  await t.throwsAsync(made({ vocabulary: ['x'] }), { code: 'ERR_NOT_IMPLEMENTED', message: /vocabulary/ })
  await t.throwsAsync(made({ dims: 2 }), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(made({ signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
  await t.throwsAsync(StaticEmbedding.fromDistillation(join(FOLDER, 'mapped')), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /transformer/,
  })
})
