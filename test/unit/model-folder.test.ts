import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openSafetensors, writeSafetensors } from '../../lib/io/safetensors.js'
import { planFiles } from '../../lib/models/hub-files.js'
import { readModelFolder } from '../../lib/models/model-folder.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { tokenizerOfVocabulary } from '../../lib/models/vocab-file.js'
import { fakeAddon } from '../helpers/fake-addon.js'
import { type Layout, someTensors, temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'
import { toTorchFile } from '../helpers/torch-file.js'
import { SPECIAL_TOKENS, wordPieceTokenizer } from '../helpers/word-piece.js'

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))

const dense = { type: 'Dense', inFeatures: 32, outFeatures: 16, bias: true, activation: 'tanh' }
const pooling = { type: 'Pooling', modes: ['mean'], includePrompt: true }
const normalize = { type: 'Normalize' }

for (const layout of ['2.0', '3.0', '4.1', '5.2', '6.0'] as Layout[]) {
  test(`reads the layout of sentence-transformers ${layout}`, async (t) => {
    const path = await temporaryFolder(t)
    await writeModel(path, layout)
    const folder = await readModelFolder(path, () => fakeAddon())
    t.deepEqual(
      folder.modules.map((module) => module.spec),
      layout === '2.0' ? [pooling, normalize] : [pooling, dense, normalize],
    )
    t.is(folder.architecture, 'bert')
    t.is(folder.maxSeqLength, 24)
    t.is(folder.doLowerCase, false)
    const withPrompts = !['2.0', '3.0'].includes(layout)
    t.deepEqual(folder.prompts, { query: withPrompts ? 'query: ' : '', document: '' })
    t.is(folder.similarityFnName, withPrompts ? 'dot' : 'cosine')
    t.is(folder.truncateDim, layout === '6.0' ? 8 : null)
  })
}

test('a plain folder means mean pooling and the limit of the positions', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, 'plain')
  const folder = await readModelFolder(path, () => fakeAddon())
  t.deepEqual(
    folder.modules.map((module) => module.spec),
    [pooling],
  )
  t.is(folder.maxSeqLength, 40)
})

test('max_seq_length: null falls back on the tokenizer, too large a one on the positions', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  const length = async (files: Record<string, unknown>) => {
    await writeFiles(path, files)
    return (await readModelFolder(path, () => fakeAddon())).maxSeqLength
  }
  t.is(await length({ 'sentence_bert_config.json': { max_seq_length: 1000 } }), 40)
  t.is(await length({ 'sentence_bert_config.json': { max_seq_length: null } }), 40)
  t.is(await length({ 'tokenizer_config.json': { model_max_length: 16 } }), 16)
  t.is(await length({ 'tokenizer_config.json': { model_max_length: 1e30 } }), 40)
  t.is(
    await length({ 'sentence_bert_config.json': { max_seq_length: 30, processor_kwargs: { model_max_length: 12 } } }),
    12,
  )
})

test('the settings of the transformer may lie in a file with an older name, the transformer in a folder', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '3.0')
  await mkdir(join(path, '0_Transformer'))
  for (const name of await readdir(path)) {
    if (/^(config|tokenizer|tokenizer_config)\.json$|^model\.safetensors$/.test(name)) {
      await rename(join(path, name), join(path, '0_Transformer', name))
    }
  }
  await rm(join(path, 'sentence_bert_config.json'))
  const modules = await json(path, 'modules.json')
  modules[0].path = '0_Transformer'
  await writeFiles(path, {
    'modules.json': modules,
    '0_Transformer/sentence_roberta_config.json': { max_seq_length: 20, do_lower_case: true },
  })
  const folder = await readModelFolder(path, () => fakeAddon())
  t.is(folder.maxSeqLength, 20)
  t.true(folder.doLowerCase)
  const model = await loadWith(() => fakeAddon(), path, {})
  t.is(model.embeddingDimension, 16)
})

test('paths of modules that Python joins to the same folder', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  const [transformer, pooling] = await json(path, 'modules.json')
  for (const [root, folder] of [
    ['.', './1_Pooling'],
    ['./', '1_Pooling/'],
  ]) {
    await writeFiles(path, {
      'modules.json': [
        { ...transformer, path: root },
        { ...pooling, path: folder },
      ],
    })
    t.deepEqual((await readModelFolder(path, () => fakeAddon())).modules[0]!.path, '1_Pooling')
  }
})

test('pooling: lists, several flags, no flag, include_prompt', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '2.0')
  const spec = async (config: object) => {
    await writeFiles(path, { '1_Pooling/config.json': config })
    const { modules } = await readModelFolder(path, () => fakeAddon())
    return { ...modules[0]!.spec, dimension: modules[0]!.outputDimension }
  }
  const flags = { word_embedding_dimension: 32, pooling_mode_mean_tokens: true, pooling_mode_cls_token: true }
  t.deepEqual(await spec(flags), { ...pooling, modes: ['cls', 'mean'], dimension: 64 })
  t.deepEqual(await spec({ word_embedding_dimension: 32, pooling_mode_mean_tokens: false }), {
    ...pooling,
    dimension: 32,
  })
  const list = { embedding_dimension: 32, pooling_mode: ['mean', 'cls'], include_prompt: false }
  t.deepEqual(await spec(list), { type: 'Pooling', modes: ['mean', 'cls'], includePrompt: false, dimension: 64 })
  await t.throwsAsync(spec({ embedding_dimension: 32, pooling_mode: 'median' }), {
    code: 'ERR_INVALID_MODEL',
    message: /median/,
  })
  // Python pools what comes, whatever is said of its width.
  for (const width of [31, '32', null]) {
    const { dimension } = await spec({ embedding_dimension: width, pooling_mode: 'cls' })
    t.is(dimension, 32)
  }
})

// What Python's \`if\` takes for true and false; with sentence-transformers 6.2.0 the vectors are those of true and false.
const truths: [unknown, boolean][] = [
  ...[true, 1, 2, 'true', 'False', [1]].map((value): [unknown, boolean] => [value, true]),
  ...[false, 0, null, '', [], {}].map((value): [unknown, boolean] => [value, false]),
]
test('flags are true and false as Python reads them', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  for (const [value, isTrue] of truths) {
    await writeFiles(path, {
      'sentence_bert_config.json': { max_seq_length: 24, do_lower_case: value },
      '1_Pooling/config.json': { word_embedding_dimension: 32, pooling_mode_cls_token: value, include_prompt: value },
      '2_Dense/config.json': { in_features: 32, out_features: 16, bias: value, use_residual: false },
    })
    const { doLowerCase, modules } = await readModelFolder(path, () => fakeAddon())
    const label = JSON.stringify(value)
    t.is(doLowerCase, isTrue, label)
    t.like(modules[0]!.spec, { modes: [isTrue ? 'cls' : 'mean'], includePrompt: isTrue }, label)
    t.is(modules[1]!.spec.bias, isTrue, label)
    await writeFiles(path, { '2_Dense/config.json': { in_features: 32, out_features: 16, use_residual: value } })
    if (isTrue)
      await t.throwsAsync(
        readModelFolder(path, () => fakeAddon()),
        { code: 'ERR_NOT_IMPLEMENTED', message: /use_residual/ },
      )
    else t.true((await readModelFolder(path, () => fakeAddon())).modules[1]!.spec.bias)
  }
})

test('what Python does without is not asked for', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  const read = async (files: Record<string, unknown>) => {
    await writeFiles(path, files)
    return readModelFolder(path, () => fakeAddon())
  }
  // No limit.
  for (const max_seq_length of [null, 0, false]) {
    t.is((await read({ 'sentence_bert_config.json': { max_seq_length } })).maxSeqLength, 40)
  }
  // Python code is not run: Tanh is taken instead.
  const dense = { in_features: 32, out_features: 16, activation_function: 'my.Act' }
  t.is((await read({ '2_Dense/config.json': dense })).modules[1]!.spec.activation, 'tanh')
})

const bad: [name: string, files: Record<string, unknown>, code: string, message: RegExp][] = [
  ['damaged JSON', { 'config.json': '{' }, 'ERR_INVALID_MODEL', /config\.json is not valid JSON/],
  ['a list for an object', { 'config.json': [] }, 'ERR_INVALID_MODEL', /object/],
  ['a PEFT adapter', { 'adapter_config.json': {} }, 'ERR_INVALID_MODEL', /adapter_config\.json/],
  [
    'a module of the model itself',
    { 'modules.json': [{ path: '', type: 'custom_st.Transformer' }] },
    'ERR_UNSUPPORTED',
    /custom_st\.Transformer.*trust_remote_code/,
  ],
  [
    'a module that is not built',
    { 'modules.json': [{ path: '', type: 'sentence_transformers.models.CNN' }] },
    'ERR_NOT_IMPLEMENTED',
    /CNN/,
  ],
  [
    'an unknown module',
    { 'modules.json': [{ path: '', type: 'sentence_transformers.models.Nonsense' }] },
    'ERR_INVALID_MODEL',
    /Nonsense/,
  ],
  [
    'modules in another order',
    { 'modules.json': [{ path: '', type: 'sentence_transformers.models.Transformer' }] },
    'ERR_NOT_IMPLEMENTED',
    /Pooling/,
  ],
  [
    'a path out of the folder',
    { 'modules.json': [{ path: '../x', type: 'sentence_transformers.models.Transformer' }] },
    'ERR_INVALID_MODEL',
    /modules\.json names the path "\.\.\/x"/,
  ],
  [
    'another kind of model',
    { 'config_sentence_transformers.json': { model_type: 'CrossEncoder' } },
    'ERR_INVALID_MODEL',
    /CrossEncoder/,
  ],
  [
    'a default prompt that is not there',
    { 'config_sentence_transformers.json': { default_prompt_name: 'x' } },
    'ERR_INVALID_MODEL',
    /default_prompt_name/,
  ],
  ['query expansion', { 'sentence_bert_config.json': { query_length: 32 } }, 'ERR_NOT_IMPLEMENTED', /query_length/],
  [
    'an activation that is not built',
    {
      '2_Dense/config.json': {
        in_features: 32,
        out_features: 4,
        activation_function: 'torch.nn.modules.activation.Softmax',
      },
    },
    'ERR_NOT_IMPLEMENTED',
    /Softmax/,
  ],
  [
    'a residual Dense',
    { '2_Dense/config.json': { in_features: 32, out_features: 4, use_residual: true } },
    'ERR_NOT_IMPLEMENTED',
    /use_residual/,
  ],
  [
    'a Dense on tokens',
    { '2_Dense/config.json': { in_features: 32, out_features: 4, module_input_name: 'token_embeddings' } },
    'ERR_NOT_IMPLEMENTED',
    /token_embeddings/,
  ],
  [
    'a Dense of another width',
    { '2_Dense/config.json': { in_features: 33, out_features: 4 } },
    'ERR_INVALID_MODEL',
    /33/,
  ],
]

for (const [name, files, code, message] of bad) {
  test(`refuses ${name}`, async (t) => {
    const path = await temporaryFolder(t)
    await writeModel(path, '5.2')
    await writeFiles(path, files)
    await t.throwsAsync(
      readModelFolder(path, () => fakeAddon()),
      { code, message },
    )
  })
}

const ofVocabulary = (vocabTxt: string, config: object) => tokenizerOfVocabulary({ vocabTxt }, { config })

// The values are those that transformers 5.24 writes for the same vocab.txt.
test('of a vocab.txt alone BERT has a tokenizer.json', async (t) => {
  const words = ['cat', 'dog', '##s']
  const lines = [...SPECIAL_TOKENS, ...words].join('\n')
  const expected = wordPieceTokenizer(words)
  const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } })
  const pair = [
    ...[token('[CLS]', 0), { Sequence: { id: 'A', type_id: 0 } }, token('[SEP]', 0)],
    ...[{ Sequence: { id: 'B', type_id: 1 } }, token('[SEP]', 1)],
  ]
  t.deepEqual(ofVocabulary(`${lines}\n`, {}), {
    ...expected,
    post_processor: { ...expected.post_processor, pair },
  })
  t.deepEqual(ofVocabulary(lines.replaceAll('\n', '\r\n'), {}), ofVocabulary(lines, {}))
  const flags = { do_lower_case: false, strip_accents: false, tokenize_chinese_chars: false }
  t.like(ofVocabulary(lines, flags), {
    normalizer: { type: 'BertNormalizer', lowercase: false, strip_accents: false, handle_chinese_chars: false },
  })
  t.like(ofVocabulary(lines, { unk_token: { content: 'cat' } }), { model: { unk_token: 'cat' } })
  // Of equal lines the last one counts.
  t.like(ofVocabulary(`${lines}\ncat\n`, {}), { model: { vocab: { cat: 8, dog: 6 } } })
  // Japanese ones need a program that cuts words; without [CLS] there is nothing to embed.
  t.is(ofVocabulary(lines, { tokenizer_class: 'BertJapaneseTokenizer' }), undefined)
  t.is(ofVocabulary(lines.replace('[CLS]', 'CLS'), {}), undefined)

  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  await rm(join(path, 'tokenizer.json'))
  await writeFile(join(path, 'vocab.txt'), lines)
  const folder = await readModelFolder(path, () => fakeAddon())
  t.true(folder.tokenizerFiles.has('tokenizer.json'))
  t.deepEqual(planFiles(new Set(['config.json', 'model.safetensors', 'vocab.txt']), undefined), {
    needed: ['config.json', 'vocab.txt', 'model.safetensors'],
    missing: [],
  })
})

test('vocab.json and merges.txt alone make a tokenizer.json, and a SentencePiece model does not', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  await rm(join(path, 'tokenizer.json'))
  await writeFile(join(path, 'sentencepiece.bpe.model'), '')
  await t.throwsAsync(
    readModelFolder(path, () => fakeAddon()),
    {
      code: 'ERR_INVALID_MODEL',
      message: /sentencepiece\.bpe\.model alone.*AutoTokenizer.*save_pretrained.*sentencepiece and protobuf/,
    },
  )
  const tokens = ['<s>', '<pad>', '</s>', '<unk>', 'a', 'b', 'ab', '<mask>']
  await writeFile(join(path, 'vocab.json'), JSON.stringify(Object.fromEntries(tokens.map((token, id) => [token, id]))))
  await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify({ tokenizer_class: 'RobertaTokenizer' }))
  await t.throwsAsync(
    readModelFolder(path, () => fakeAddon()),
    { code: 'ERR_INVALID_MODEL', message: /sentencepiece/ },
  )
  await writeFile(join(path, 'merges.txt'), '#version: 0.2\na b\n')
  const made = JSON.parse(
    new TextDecoder().decode((await readModelFolder(path, () => fakeAddon())).tokenizerFiles.get('tokenizer.json')),
  )
  t.like(made, { model: { type: 'BPE', merges: [['a', 'b']] }, pre_tokenizer: { type: 'ByteLevel' } })
  await writeFile(join(path, 'merges.txt'), '#version: 0.2\na b\nab\n')
  await t.throwsAsync(
    readModelFolder(path, () => fakeAddon()),
    { code: 'ERR_INVALID_MODEL', message: /as \[2\] in merges\.txt/ },
  )
  t.deepEqual(planFiles(new Set(['config.json', 'model.safetensors', 'vocab.json', 'merges.txt']), undefined), {
    needed: ['config.json', 'vocab.json', 'merges.txt', 'model.safetensors'],
    missing: [],
  })
  t.deepEqual(planFiles(new Set(['config.json', 'model.safetensors', 'vocab.json']), undefined).missing, [
    'tokenizer.json',
  ])
})

test('refuses folders without config, pooling config, tokenizer or weights, saying which and how to mend it', async (t) => {
  const path = await temporaryFolder(t)
  // The engine is not asked for before there is something to ask it.
  const none = () => {
    throw new Error('there is no engine')
  }
  await t.throwsAsync(readModelFolder(join(path, 'none'), none), { code: 'ERR_NOT_FOUND', message: /no model folder/ })
  await t.throwsAsync(readModelFolder(path, none), { code: 'ERR_INVALID_MODEL', message: /config\.json/ })
  const without = async (file: string) => {
    await writeModel(path, '5.2')
    await rm(join(path, file))
    return loadWith(() => fakeAddon(), path, {})
  }
  await t.throwsAsync(without('1_Pooling/config.json'), { code: 'ERR_INVALID_MODEL', message: /1_Pooling/ })
  await t.throwsAsync(without('tokenizer.json'), { code: 'ERR_INVALID_MODEL', message: /AutoTokenizer/ })
  await t.throwsAsync(without('model.safetensors'), { code: 'ERR_INVALID_MODEL', message: /lacks model\.safetensors/ })
  await t.throwsAsync(without('2_Dense/model.safetensors'), { code: 'ERR_INVALID_MODEL', message: /2_Dense/ })
  await writeFile(join(path, '2_Dense/tf_model.h5'), '')
  await t.throwsAsync(
    loadWith(() => fakeAddon(), path, {}),
    { code: 'ERR_UNSUPPORTED', message: /2_Dense\/tf_model\.h5, but model\.safetensors or pytorch_model\.bin/ },
  )
})

test('weights of torch.save are read where there are no safetensors, and saved as safetensors alone', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  const load = async () => {
    const engine = fakeAddon()
    return { model: await loadWith(() => engine, path, {}), values: engine.encoders[0]!.values }
  }
  const expected = (await load()).values
  await toTorchFile(path)
  await toTorchFile(join(path, '2_Dense'))
  const { model, values } = await load()
  t.deepEqual(values, expected)
  // Another pickle beside safetensors is not looked at.
  await writeFiles(path, {
    'pytorch_model-00001-of-00002.bin': 'stale',
    'pytorch_model.bin.index.json': {},
    '2_Dense/notes.txt': 'mine',
    'training_args.bin': 'mine',
  })
  await model.save(path)
  const names = await readdir(path, { recursive: true })
  t.deepEqual(names.filter((name) => /\.(bin|txt)|weights|index/.test(name)).sort(), [
    '2_Dense/notes.txt',
    'training_args.bin',
  ])
  await writeFiles(path, { 'pytorch_model.bin': 'never read' })
  t.deepEqual((await load()).values, expected)
})

test('writes the layout that every version reads, and keeps what it does not know', async (t) => {
  const root = await temporaryFolder(t)
  const [source, target] = [join(root, 'source'), join(root, 'target')]
  await writeModel(source, '6.0')
  await writeFiles(source, {
    '1_Pooling/config.json': {
      embedding_dimension: 32,
      pooling_mode: ['cls', 'mean'],
      include_prompt: false,
      x_pool: 1,
    },
    '2_Dense/config.json': {
      in_features: 64,
      out_features: 16,
      bias: true,
      activation_function: 'torch.nn.modules.linear.Identity',
      x_dense: 2,
    },
    'config_sentence_transformers.json': { ...(await json(source, 'config_sentence_transformers.json')), x_model: 3 },
  })
  await writeSafetensors(
    join(source, '2_Dense/model.safetensors'),
    someTensors([
      ['linear.weight', [16, 64]],
      ['linear.bias', [16]],
    ]),
  )

  const model = await loadWith(() => fakeAddon(), source, {})
  model.maxSeqLength = 20
  await model.save(target)
  t.deepEqual((await readdir(target, { recursive: true })).sort(), [
    ...[
      '1_Pooling',
      '1_Pooling/config.json',
      '2_Dense',
      '2_Dense/config.json',
      '2_Dense/model.safetensors',
      '3_Normalize',
    ],
    ...['README.md', 'config.json', 'config_sentence_transformers.json', 'model.safetensors', 'modules.json'],
    ...['sentence_bert_config.json', 'tokenizer.json', 'tokenizer_config.json'],
  ])
  t.deepEqual(
    (await json(target, 'modules.json')).map((module: { path: string; type: string }) => [module.path, module.type]),
    [
      ['', 'sentence_transformers.models.Transformer'],
      ['1_Pooling', 'sentence_transformers.models.Pooling'],
      ['2_Dense', 'sentence_transformers.models.Dense'],
      ['3_Normalize', 'sentence_transformers.models.Normalize'],
    ],
  )
  t.deepEqual(await json(target, '1_Pooling/config.json'), {
    word_embedding_dimension: 32,
    pooling_mode_cls_token: true,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
    pooling_mode_weightedmean_tokens: false,
    pooling_mode_lasttoken: false,
    include_prompt: false,
    x_pool: 1,
  })
  t.deepEqual(await json(target, '2_Dense/config.json'), {
    in_features: 64,
    out_features: 16,
    bias: true,
    activation_function: 'torch.nn.modules.linear.Identity',
    x_dense: 2,
  })
  t.deepEqual(await json(target, 'sentence_bert_config.json'), { max_seq_length: 20, do_lower_case: false })
  t.is((await json(target, 'tokenizer_config.json')).model_max_length, 20)
  const { __version__, ...config } = await json(target, 'config_sentence_transformers.json')
  t.deepEqual(Object.keys(__version__), ['sentence_torch'])
  t.deepEqual(config, {
    model_type: 'SentenceTransformer',
    prompts: { query: 'query: ', document: '' },
    default_prompt_name: null,
    similarity_fn_name: 'dot',
    truncate_dim: 8,
    x_model: 3,
  })
  const transformer = await json(target, 'config.json')
  t.deepEqual(transformer.x_unknown, { kept: true })
  t.is(transformer.dtype, 'float32')
  t.regex(
    await readFile(join(target, 'README.md'), 'utf8'),
    /^---\ntags:\n- sentence-transformers\n[\s\S]*library_name: sentence-transformers\n---\n/,
  )
  t.deepEqual(await readFile(join(target, 'tokenizer.json')), await readFile(join(source, 'tokenizer.json')))

  const [before, after] = [
    await openSafetensors(join(source, 'model.safetensors')),
    await openSafetensors(join(target, 'model.safetensors')),
  ]
  t.deepEqual(after.metadata, { format: 'pt' })
  t.deepEqual(after.tensors, before.tensors)
  for (const name of before.tensors.keys()) t.deepEqual(await after.read(name), await before.read(name))
  await before.close()
  await after.close()

  const again = await readModelFolder(target, () => fakeAddon())
  t.deepEqual(
    again.modules.map((module) => module.spec),
    (await readModelFolder(source, () => fakeAddon())).modules.map((module) => module.spec),
  )
})

test('an order of pooling modes that flags cannot say is written in the newer way too', async (t) => {
  const root = await temporaryFolder(t)
  const [source, target] = [join(root, 'source'), join(root, 'target')]
  await writeModel(source, '2.0')
  await writeFiles(source, { '1_Pooling/config.json': { embedding_dimension: 32, pooling_mode: ['mean', 'cls'] } })
  await (await loadWith(() => fakeAddon(), source, {})).save(target)
  t.deepEqual((await readModelFolder(target, () => fakeAddon())).modules[0]!.spec.modes, ['mean', 'cls'])
})

test('saving over a folder keeps foreign files and drops those of the old model', async (t) => {
  const path = await temporaryFolder(t)
  await writeModel(path, '5.2')
  await writeFiles(path, {
    'notes.txt': 'mine',
    'eval/results.csv': 'mine too',
    'model.safetensors.index.json': { weight_map: {} },
    '7_LayerNorm/config.json': {},
  })
  const model = await loadWith(() => fakeAddon(), path, {})
  await writeFiles(path, { 'added_tokens.json': { stale: 1 } })
  await model.save(path)
  const names = await readdir(path)
  t.true(names.includes('notes.txt'))
  t.is(await readFile(join(path, 'eval/results.csv'), 'utf8'), 'mine too')
  for (const stale of ['model.safetensors.index.json', '7_LayerNorm', 'added_tokens.json'])
    t.false(names.includes(stale))
  await t.notThrowsAsync(readModelFolder(path, () => fakeAddon()))
})

test('a table of word embeddings needs no config.json, and each module the files that its type has', (t) => {
  const type = (name: string) => `sentence_transformers.models.${name}`
  const list = [
    { path: '', type: type('StaticEmbedding') },
    { path: '1_LayerNorm', type: type('LayerNorm') },
    { path: '2_Dropout', type: type('Dropout') },
    { path: '3_Normalize', type: type('Normalize') },
  ]
  const files = ['modules.json', 'tokenizer.json', 'model.safetensors', '1_LayerNorm/config.json']
  const plan = planFiles(new Set([...files, 'README.md']), list)
  t.deepEqual([...plan.needed].sort(), [...files].sort())
  t.deepEqual([...plan.missing].sort(), ['1_LayerNorm/model.safetensors', '2_Dropout/config.json'])
})
