// Models for text to text as callers use them: a folder that transformers saved, texts, a folder that is saved here. Golden texts by
// test/parity/make_seq2seq_folder.py.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { CrossEncoder, type GenerateOptions, Seq2SeqModel } from '../../lib/index.js'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import { openTensorFile } from '../../lib/io/tensor-file.js'

interface Arguments {
  max_new_tokens?: number
  min_new_tokens?: number
  num_beams?: number
  num_return_sequences?: number
  no_repeat_ngram_size?: number
  length_penalty?: number
  early_stopping?: boolean
}

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/seq2seq-folder', import.meta.url))
const golden: { sources: string[]; cases: { arguments: Arguments; texts: string[] }[] } = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
)
const root = mkdtempSync(join(tmpdir(), 'seq2seq-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/** A copy of the folder with other files: JSON to merge into one, or null to remove it. */
function changed(files: Record<string, object | null> = {}): string {
  const folder = join(root, String(count++))
  cpSync(FOLDER, folder, { recursive: true })
  for (const [name, value] of Object.entries(files)) {
    const path = join(folder, name)
    if (value === null) rmSync(path)
    else writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...value }))
  }
  return folder
}

function optionsOf(given: Arguments): GenerateOptions {
  return {
    ...(given.max_new_tokens !== undefined && { maxNewTokens: given.max_new_tokens }),
    ...(given.min_new_tokens !== undefined && { minNewTokens: given.min_new_tokens }),
    ...(given.num_beams !== undefined && { numBeams: given.num_beams }),
    ...(given.num_return_sequences !== undefined && { numReturnSequences: given.num_return_sequences }),
    ...(given.no_repeat_ngram_size !== undefined && { noRepeatNgramSize: given.no_repeat_ngram_size }),
    ...(given.length_penalty !== undefined && { lengthPenalty: given.length_penalty }),
    ...(given.early_stopping !== undefined && { earlyStopping: given.early_stopping }),
  }
}

test('the texts are those of transformers, with its defaults and in any batches', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  t.is(model.maxSeqLength, 32)
  for (const { arguments: given, texts } of golden.cases) {
    for (const batchSize of [1, 5, 32]) {
      t.deepEqual(
        await model.generate(golden.sources, { ...optionsOf(given), batchSize }),
        texts,
        JSON.stringify(given),
      )
    }
  }
  t.deepEqual(await model.generate([]), [])
  await model.dispose()
  await t.throwsAsync(model.generate(['the cat']), { code: 'ERR_DISPOSED' })
})

test('a saved model gives the same texts, and has the files of transformers', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const target = join(root, 'saved')
  await model.save(target)
  await model.dispose()
  const json = (name: string, folder = target) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
  t.deepEqual(json('config.json').architectures, ['T5ForConditionalGeneration'])
  t.deepEqual(json('generation_config.json'), json('generation_config.json', FOLDER))
  const [saved, original] = await Promise.all(
    [target, FOLDER].map((path) => openTensorFile(join(path, 'model.safetensors'))),
  )
  t.deepEqual([...saved!.tensors.keys()].sort(), [...original!.tensors.keys()].sort())
  for (const [name, { shape }] of original!.tensors) {
    t.deepEqual(saved!.tensors.get(name)!.shape, shape)
    const bytes = shape.reduce((product, n) => product * n, 4)
    t.deepEqual(await saved!.read(name, 0, bytes), await original!.read(name, 0, bytes), name)
  }
  await Promise.all([saved!.close(), original!.close()])
  const again = await Seq2SeqModel.load(target)
  t.deepEqual(await again.generate(golden.sources), golden.cases[0]!.texts)
  await again.dispose()
})

test('draws: a seed repeats them, whatever the batches; another seed gives others', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const options: GenerateOptions = { doSample: true, topP: 0.95, numReturnSequences: 3, maxNewTokens: 8, seed: 1 }
  const first = await model.generate(golden.sources, options)
  t.is(first.length, 3 * golden.sources.length)
  t.deepEqual(await model.generate(golden.sources, { ...options, batchSize: 5 }), first)
  t.notDeepEqual(await model.generate(golden.sources, { ...options, seed: 2 }), first)
  t.true(new Set(first.slice(0, 3)).size > 1)
  await model.dispose()
})

test('a stream gives each text when it is done, and leaving it stops the work', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const found: string[] = []
  for await (const { index, number, text } of model.generateStream(golden.sources, { batchSize: 4 })) {
    t.is(number, 0)
    found[index] = text
  }
  t.deepEqual(found, golden.cases[0]!.texts)
  for await (const _ of model.generateStream(golden.sources, { batchSize: 1 })) break
  const controller = new AbortController()
  const stream = model.generateStream(golden.sources, { batchSize: 1, signal: controller.signal })
  await stream.next()
  controller.abort()
  await t.throwsAsync(
    async () => {
      for await (const _ of stream);
    },
    { code: 'ERR_ABORTED' },
  )
  const aborted = model.generate(golden.sources, { signal: AbortSignal.abort() })
  await t.throwsAsync(aborted, { code: 'ERR_ABORTED' })
  t.deepEqual(await model.generate(golden.sources), golden.cases[0]!.texts, 'the model goes on')
  await model.dispose()
})

test('what cannot be is one clear error', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const vocabulary = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8')).vocab_size as number
  const bad: [GenerateOptions, RegExp][] = [
    [{ doSample: true, temperature: 0 }, /above 0 \(doSample: false takes the best token.*temperature/],
    [{ temperature: 0.5 }, /temperature has an effect only with doSample: true/],
    [{ topK: 5 }, /topK has an effect only/],
    [{ seed: 5 }, /seed has an effect only/],
    [{ doSample: true, topP: 0 }, /topP/],
    [{ numBeams: vocabulary + 1 }, new RegExp(`numBeams|${vocabulary} tokens of the vocabulary`)],
    [{ lengthPenalty: 2 }, /lengthPenalty has an effect only with numBeams/],
    [{ earlyStopping: 'always' as never }, /earlyStopping/],
    [{ numBeams: 2, numReturnSequences: 3 }, /at most numBeams/],
    [{ numReturnSequences: 2 }, /numReturnSequences/],
    [{ maxNewTokens: 0 }, /maxNewTokens/],
    [{ maxNewTokens: 3, minNewTokens: 4 }, /minNewTokens/],
    [{ max_new_tokens: 3 } as never, /did you mean maxNewTokens/],
  ]
  for (const [options, message] of bad) {
    await t.throwsAsync(model.generate(['the cat'], options), { message }, JSON.stringify(options))
    t.throws(() => model.generateStream(['the cat'], options), { message })
  }
  await t.throwsAsync(model.generate(['the cat', ' ']), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /not empty for texts\[1\]/,
  })
  await t.throwsAsync(model.generate(['the cat', 5 as never]), { message: /texts\[1\]/ })
  await t.throwsAsync(model.generate('the cat' as never), { message: /an array of strings/ })
  await t.throwsAsync(model.generate(['a'], { repetitionPenalty: 2 } as never), { code: 'ERR_NOT_IMPLEMENTED' })
  await model.dispose()
})

test('where no token may come next, or no score is a number, there is a text or an error, and the process goes on', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const vocabulary = JSON.parse(readFileSync(join(FOLDER, 'config.json'), 'utf8')).vocab_size as number
  const most = vocabulary + 20
  for (const numBeams of [1, 3]) {
    const options = { doSample: true, noRepeatNgramSize: 1, maxNewTokens: most, minNewTokens: most, numBeams }
    t.is((await model.generate(['the cat'], options)).length, 1)
  }
  await t.throwsAsync(model.generate(['the cat'], { numReturnSequences: 1e6, doSample: true, maxNewTokens: 2000 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /1073741824 bytes for one source.*lower maxNewTokens, numReturnSequences/,
  })
  await model.dispose()

  const folder = changed()
  const file = join(folder, 'model.safetensors')
  const tensors = await openTensorFile(file)
  const large = [...tensors.tensors].map(([name, { shape }]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(name === 'shared.weight' ? 1e10 : 1e20)
    return { name, shape, dtype: 'F32' as const, data: new Uint8Array(data.buffer) }
  })
  await writeSafetensors(file, large)
  const overflowing = await Seq2SeqModel.load(folder)
  for (const options of [{}, { doSample: true }, { numBeams: 2 }]) {
    await t.throwsAsync(overflowing.generate(['the cat'], options), { message: /finite scores of the next token/ })
  }
  await overflowing.dispose()
})

test('defaults come from generation_config.json, else from config.json, as in transformers', async (t) => {
  const textsOf = async (files: Record<string, object | null>, options: GenerateOptions = {}) => {
    const model = await Seq2SeqModel.load(changed(files))
    try {
      return await model.generate(golden.sources, options)
    } finally {
      await model.dispose()
    }
  }
  const beams = golden.cases[4]!
  const settings = { max_new_tokens: 9, num_beams: 3, length_penalty: 2.0, early_stopping: true }
  t.deepEqual(await textsOf({ 'generation_config.json': settings }), beams.texts)
  t.deepEqual(
    await textsOf({
      'generation_config.json': null,
      'config.json': { ...settings, max_length: 10, max_new_tokens: null },
    }),
    beams.texts,
  )
  t.deepEqual(await textsOf({ 'generation_config.json': null }, { maxNewTokens: 15 }), golden.cases[0]!.texts)
  const refused = textsOf({ 'generation_config.json': { repetition_penalty: 1.5 } })
  await t.throwsAsync(refused, {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /repetition_penalty 1\.5 of .*generation_config\.json/,
  })
  for (const value of [{ num_beams: 'two' }, { top_k: -1 }, { early_stopping: 'maybe' }, { eos_token_id: ['x'] }]) {
    const [key] = Object.keys(value)
    const load = Seq2SeqModel.load(changed({ 'generation_config.json': value }))
    await t.throwsAsync(load, { code: 'ERR_INVALID_MODEL', message: new RegExp(`${key}`) })
  }
  const beyond = textsOf({ 'generation_config.json': { eos_token_id: 5000 } })
  await t.throwsAsync(beyond, { code: 'ERR_INVALID_MODEL', message: /eos_token_id below the \d+ tokens/ })
  const start = textsOf({
    'generation_config.json': { decoder_start_token_id: null },
    'config.json': { decoder_start_token_id: null },
  })
  await t.throwsAsync(start, { code: 'ERR_INVALID_MODEL', message: /decoder_start_token_id/ })
})

test('prompts: a text, or the name of a task of config.json', async (t) => {
  const tasks = {
    task_specific_params: { shout: { prefix: 'the cat ', num_beams: 4 }, other: { max_length: 3 }, odd: 5 },
  }
  const model = await Seq2SeqModel.load(changed({ 'config.json': tasks }), { prompts: { own: 'a dog ' } })
  t.deepEqual(model.prompts, { shout: 'the cat ', own: 'a dog ' })
  const { sources } = golden
  const expected = await model.generate(sources.map((text) => `the cat ${text}`))
  t.deepEqual(await model.generate(sources, { prompt: 'the cat ' }), expected)
  t.deepEqual(await model.generate(sources, { promptName: 'shout' }), expected)
  await t.throwsAsync(model.generate(sources, { promptName: 'shot' }), { message: /did you mean shout/ })
  await t.throwsAsync(model.generate(sources, { promptName: 'shout', prompt: 'x' }), { message: /both/ })
  await model.dispose()
})

test('folders that do not fit are refused by name', async (t) => {
  const load = (files: Record<string, object | null>, options = {}) => Seq2SeqModel.load(changed(files), options)
  await t.throwsAsync(load({ 'config.json': { vocab_size: 20 } }), {
    code: 'ERR_INVALID_MODEL',
    message: /at most 20 tokens.*not of the same model/,
  })
  await t.throwsAsync(load({ 'config.json': { vocab_size: 200 } }), {
    code: 'ERR_INVALID_TENSORS',
    message: /shape: shared\.weight|wrong shape/,
  })
  await t.throwsAsync(load({ 'config.json': { model_type: 'bert' } }), { message: /bert|hidden/ })
  await t.throwsAsync(load({ 'config.json': null }), { code: 'ERR_INVALID_MODEL', message: /config\.json/ })
  await t.throwsAsync(load({}, { pooling: 'mean' }), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(Seq2SeqModel.load(join(root, 'nothing')), { code: 'ERR_NOT_FOUND' })
  t.throws(() => new (Seq2SeqModel as never as new (path: string) => unknown)('x'), { message: /Seq2SeqModel\.load/ })
  t.is(typeof CrossEncoder.load, 'function')
})

test('a last layer of its own, and copies of the table of words', async (t) => {
  const folder = changed()
  const file = await openTensorFile(join(FOLDER, 'model.safetensors'))
  const all = await Promise.all(
    [...file.tensors].map(async ([name, { shape }]) => {
      const data = await file.read(
        name,
        0,
        shape.reduce((product, n) => product * n, 4),
      )
      return { name, dtype: 'F32' as const, shape, data: new Uint8Array(data) }
    }),
  )
  await file.close()
  const words = all.find(({ name }) => name === 'shared.weight')!
  const path = join(folder, 'model.safetensors')
  const copies = ['encoder.embed_tokens.weight', 'decoder.embed_tokens.weight', 'lm_head.weight']
  await writeSafetensors(path, [...all, ...copies.map((name) => ({ ...words, name }))], { format: 'pt' })
  const tied = await Seq2SeqModel.load(folder)
  t.deepEqual(await tied.generate(golden.sources), golden.cases[0]!.texts)
  await tied.dispose()

  const other = new Uint8Array(new Float32Array(words.data.length / 4).map((_, i) => Math.sin(i)).buffer)
  await writeSafetensors(path, [...all, { ...words, name: 'lm_head.weight', data: other }], { format: 'pt' })
  const own = await Seq2SeqModel.load(folder)
  const texts = await own.generate(golden.sources)
  t.notDeepEqual(texts, golden.cases[0]!.texts)
  const target = join(root, 'own-head')
  await own.save(target)
  await own.dispose()
  const again = await Seq2SeqModel.load(target)
  t.deepEqual(await again.generate(golden.sources), texts)
  await again.dispose()

  await writeSafetensors(path, [...all, { ...words, name: 'decoder.embed_tokens.weight', data: other }], {
    format: 'pt',
  })
  await t.throwsAsync(Seq2SeqModel.load(folder), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /decoder\.embed_tokens\.weight.*words of their own/,
  })
})
