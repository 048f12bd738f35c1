// The masked language model of every architecture: read from its folder for a loss, and written back as transformers has it.
import { readFileSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { losses, SentenceTransformer } from '../../lib/index.js'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import type { HeadTensors } from '../../lib/models/save-language-model.js'
import type { LanguageModelDescription, PackedBatch } from '../../lib/native/types.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { testOf } from './architecture-engines.js'
import { SEQ2SEQ } from './architecture-goldens.js'
import { BUILT, type GoldenTensor, type HeadFixture, heads, WITHOUT_MASKED } from './architectures.js'
import { firstLoss, tensorsOf } from './language-models.js'
import { addon, dump, trainerSpec } from './support.js'

const TOKENIZER = fileURLToPath(new URL('../../../test/parity/golden/language-models/tokenizer/', import.meta.url))

type Tensors = [name: string, tensor: GoldenTensor][]

/** The masked language model of a fixture as transformers saves it, with some tokenizer. */
async function folderOf(t: ExecutionContext, { config, prefix, weights }: HeadFixture): Promise<string> {
  const folder = await temporaryFolder(t)
  await cp(TOKENIZER, folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const head = new Set(languageModel(config).tensors.map(({ name }) => name))
  await write(
    folder,
    [...weights].map(([name, tensor]) => [head.has(name) ? name : prefix + name, tensor]),
  )
  return folder
}

function languageModel(config: HeadFixture['config']): LanguageModelDescription {
  return addon.describe(config.model_type as string, config).languageModel!
}

function write(folder: string, tensors: Tensors): Promise<void> {
  const sources = tensors.map(([name, { shape, data }]) => {
    return { name, dtype: 'F32' as const, shape, data: new Uint8Array(new Float32Array(data).buffer) }
  })
  return writeSafetensors(join(folder, 'model.safetensors'), sources)
}

/** The tensors of a folder that was made of a fixture. */
async function storedIn(folder: string, { prefix, weights }: HeadFixture): Promise<Tensors> {
  return Object.keys(await tensorsOf(folder)).map((name) => {
    return [name, weights.get(name) ?? weights.get(name.slice(prefix.length))!]
  })
}

function batchOf({ tensors, batch }: HeadFixture): PackedBatch {
  return { ...batch, targets: { ids: Int32Array.from(tensors.get('labels')!.data), offsets: batch.offsets } }
}

const masked = () => new losses.MaskedLanguageModelLoss()

for (const fixture of heads('masked')) {
  const { architecture, name, config, weights } = fixture
  testOf(architecture, `masked language model, ${name}: it is read from its folder and written back`, async (t) => {
    const folder = await folderOf(t, fixture)
    const loss = await firstLoss(folder, masked(), batchOf(fixture))
    t.true(Math.abs(loss - fixture.loss) <= 1e-5 * fixture.loss, `${loss}, in Python ${fixture.loss}`)

    const { tensors, className, matrix } = languageModel(config)
    const head = Object.fromEntries(
      tensors.filter((one) => one.name !== matrix).map((one) => [one.name, weights.get(one.name)!] as const),
    )
    await using model = await SentenceTransformer.load(folder)
    const saved = join(folder, 'saved')
    await model.saveMaskedLanguageModel(saved, head)
    t.deepEqual(await tensorsOf(saved), await tensorsOf(folder))
    const written = JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8'))
    t.deepEqual(written.architectures, config.architectures)
    t.deepEqual(written.architectures, [className])
    t.is(await firstLoss(saved, masked(), batchOf(fixture)), loss)
  })

  testOf(architecture, `masked language model, ${name}: a head that is not tied`, async (t) => {
    const folder = await folderOf(t, { ...fixture, config: { ...config, tie_word_embeddings: false } })
    const { tensors, matrix, table, bias } = languageModel(config)
    const words = weights.get(table)!
    // Its matrix is another one than the table, and what is tied has other values, which are not read.
    const own = { shape: words.shape, data: words.data.map((value) => value / 2) }
    const stored = new Map(await storedIn(folder, fixture))
    stored.set(matrix, own)
    if (bias?.second) {
      stored.set(bias.second, stored.get(bias.name)!)
      stored.set(bias.name, { shape: [words.shape[0]!], data: new Float32Array(words.shape[0]!).fill(7) })
    }
    await write(folder, [...stored])
    const loss = await firstLoss(folder, masked(), batchOf(fixture))
    t.true(Math.abs(loss - fixture.loss) > 1e-3)

    const head = Object.fromEntries(
      tensors.map(({ name: one }) => {
        return [one, stored.get(one === bias?.name && bias.second ? bias.second : one)!] as const
      }),
    )
    await using model = await SentenceTransformer.load(folder)
    const saved = join(folder, 'saved')
    await model.saveMaskedLanguageModel(saved, head as HeadTensors)
    if (bias?.second) stored.set(bias.name, stored.get(bias.second)!)
    const expected = [...stored].map(([one, { data }]) => [one, [...data]] as const)
    t.deepEqual(await tensorsOf(saved), Object.fromEntries(expected))
    t.false(JSON.parse(readFileSync(join(saved, 'config.json'), 'utf8')).tie_word_embeddings)
    t.is(await firstLoss(saved, masked(), batchOf(fixture)), loss)
    // With the table's own values the head is that of the golden file.
    await write(folder, [...stored.set(matrix, words)])
    t.true(Math.abs((await firstLoss(folder, masked(), batchOf(fixture))) - fixture.loss) <= 1e-5 * fixture.loss)
  })
}

test('every architecture that is built has a masked language model, but for decoders and encoder-decoder models', (t) => {
  const others = [...SEQ2SEQ.map(({ config }) => config.model_type), ...WITHOUT_MASKED]
  const masked = BUILT.filter((architecture) => !others.includes(architecture))
  t.deepEqual([...new Set(heads('masked').map(({ architecture }) => architecture))].sort(), [...masked].sort())
})

const fixtureOf = (name: string) => heads('masked').find(({ architecture }) => architecture === name)!

test('what files call the norms of heads: all names load', async (t) => {
  const others = {
    bert: (name: string) =>
      name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'),
    gte: (name: string) => name.replace('lm_head.norm.', 'lm_head.layer_norm.'),
    nomic_bert: (name: string) => name.replace('transform.layer_norm.', 'transform.LayerNorm.'),
  }
  for (const [architecture, rename] of Object.entries(others)) {
    const fixture = fixtureOf(architecture)
    const folder = await folderOf(t, fixture)
    const loss = await firstLoss(folder, masked(), batchOf(fixture))
    const tensors = await storedIn(folder, fixture)
    t.true(tensors.some(([name]) => rename(name) !== name))
    await write(
      folder,
      tensors.map(([name, tensor]) => [rename(name), tensor]),
    )
    t.is(await firstLoss(folder, masked(), batchOf(fixture)), loss, architecture)
    await write(folder, [...new Map([...tensors, ...tensors.map(([name, tensor]) => [rename(name), tensor] as const)])])
    await t.throwsAsync(firstLoss(folder, masked(), batchOf(fixture)), {
      code: 'ERR_INVALID_TENSORS',
      message: /are the same tensor/,
    })
  }
})

test('files of the code on the hub (model_type new) keep the prefix and the class of that code', async (t) => {
  const fixture = fixtureOf('gte')
  const config = { ...fixture.config, model_type: 'new', architectures: ['NewForMaskedLM'] }
  const { rope_theta } = fixture.config.rope_parameters as { rope_theta: number }
  const hub = { ...fixture, config: { ...config, rope_theta }, prefix: 'new.' }
  const folder = await folderOf(t, hub)
  const loss = await firstLoss(folder, masked(), batchOf(hub))
  t.true(Math.abs(loss - fixture.loss) <= 1e-5 * fixture.loss)
  await using model = await SentenceTransformer.load(folder)
  const { tensors, matrix } = languageModel(config)
  const head = tensors.filter(({ name }) => name !== matrix).map(({ name }) => [name, hub.weights.get(name)!] as const)
  await model.saveMaskedLanguageModel(join(folder, 'saved'), Object.fromEntries(head))
  t.deepEqual(await tensorsOf(join(folder, 'saved')), await tensorsOf(folder))
  const { architectures } = JSON.parse(readFileSync(join(folder, 'saved', 'config.json'), 'utf8'))
  t.deepEqual(architectures, ['NewForMaskedLM'])
})

test('the head of another architecture, and losses that are not built for one, are refused by name', async (t) => {
  const [bert, roberta] = await Promise.all(['bert', 'roberta'].map((name) => folderOf(t, fixtureOf(name))))
  const batch = batchOf(fixtureOf('roberta'))
  const other = new losses.MaskedLanguageModelLoss({ decoderNameOrPath: bert! })
  await t.throwsAsync(firstLoss(roberta!, other, batch), {
    code: 'ERR_INVALID_TENSORS',
    message: `MaskedLanguageModelLoss cannot start from ${bert}: a BertForMaskedLM has no lm_head.dense.weight`,
  })
  await t.throwsAsync(firstLoss(roberta!, new losses.DenoisingAutoEncoderLoss(), batch), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /A decoder is built for model_type bert, not for roberta/,
  })
  const config = { model_type: 'static_embedding', vocab_size: 5, hidden_size: 4 }
  const spec = { architecture: 'static_embedding', config, modules: [], pooler: false, device: 'cpu' }
  const encoder = new addon.Encoder({ ...spec, dtype: 'float32' })
  t.is(addon.describe('static_embedding', config).languageModel, null)
  t.throws(() => new addon.Trainer(encoder, trainerSpec({ type: 'MaskedLanguageModelLoss', config })), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /The masked language model of model_type static_embedding is not built/,
  })
  await encoder.dispose()
})

test('a new head has the values of a new one in transformers', async (t) => {
  const values = async (name: string, options: object) => {
    const config = { ...fixtureOf(name).config, ...options }
    const spec = { architecture: name, config, modules: [{ type: 'Pooling', modes: ['cls'] }], pooler: false }
    const encoder = new addon.Encoder({ ...spec, device: 'cpu', dtype: 'float32' })
    const loss = { type: 'MaskedLanguageModelLoss', config, tieWordEmbeddings: false }
    const trainer = new addon.Trainer(encoder, trainerSpec(loss))
    const found = await dump(trainer, (tensor) => tensor.startsWith('loss.'))
    await trainer.dispose()
    await encoder.dispose()
    return new Map([...found].map(([tensor, data]) => [tensor.slice('loss.'.length), [...data]]))
  }
  const square = (data: number[]) => data.reduce((sum, value) => sum + value * value, 0) / data.length
  const distil = await values('distilbert', { initializer_range: 0.5 })
  t.deepEqual(
    [...distil.keys()].sort(),
    languageModel(fixtureOf('distilbert').config)
      .tensors.map(({ name }) => name)
      .sort(),
  )
  t.true(distil.get('vocab_projector.bias')!.every((value) => value === 0))
  t.true(distil.get('vocab_layer_norm.weight')!.every((value) => value === 1))
  const plain = square(distil.get('vocab_projector.weight')!) / 0.25
  t.true(plain > 0.7 && plain < 1.4, `${plain}`)
  // Two layers: half of the range. Cut at one deviation, a normal distribution has 0.2911 of its variance.
  const modern = await values('modernbert', {
    initializer_range: 0.5,
    initializer_cutoff_factor: 1,
    num_hidden_layers: 2,
  })
  const cut = modern.get('decoder.weight')!
  t.true(cut.every((value) => Math.abs(value) <= 0.25))
  const share = square(cut) / 0.25 ** 2
  t.true(share > 0.22 && share < 0.37, `${share}`)
})
