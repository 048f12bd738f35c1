import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { SentenceTorchError } from '../../lib/errors.js'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import { loadCrossEncoderParts } from '../../lib/models/cross-encoder-load.js'
import { LanguageModelWeights } from '../../lib/models/language-model.js'
import { loadWith } from '../../lib/models/sentence-transformer.js'
import { bertShapes, fakeAddon } from '../helpers/fake-addon.js'
import { someTensors, temporaryFolder, writeFiles, writeModel } from '../helpers/model-folders.js'
import { tinyConfig } from '../helpers/tiny-model.js'

/** A folder's file, what is written over its members (or over all of it), the code, and what the message says. */
type Case = [file: string, change: Record<string, unknown> | unknown[] | string, code: string, message: RegExp]

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const many = <T>(count: number, of: (i: number) => T) => Array.from({ length: count }, (_, i) => of(i))
const fast = { tokenizer_class: 'PreTrainedTokenizerFast' }
const MODULE = { path: '', type: 'sentence_transformers.models.Transformer' }
const POOLING = { path: '1_Pooling', type: 'sentence_transformers.models.Pooling' }
const token = {
  id: 1,
  content: 'x',
  special: false,
  normalized: false,
  single_word: false,
  lstrip: false,
  rstrip: false,
}
const split = (Regex: unknown) => ({ pre_tokenizer: { type: 'Split', pattern: { Regex }, behavior: 'Isolated' } })

const INVALID = 'ERR_INVALID_MODEL'
const MISFIT = 'ERR_INVALID_TENSORS'

const config: Case[] = [
  ['config.json', { vocab_size: 9e6 }, MISFIT, /word_embeddings\.weight is \[50,32\].*expected \[9000000,32\]/],
  ['config.json', { num_hidden_layers: 3 }, MISFIT, /num_hidden_layers is 3 in config\.json.*2 layers.*layer\.2\.\*$/],
  ['config.json', { model_type: 7 }, INVALID, /text as model_type in .*config\.json, found 7/],
  ['config.json', { tokenizer_class: ['x'] }, INVALID, /tokenizer_class in .*config\.json/],
  ['config.json', { id2label: ['x'] }, INVALID, /id2label in .*config\.json/],
  ['config.json', deep(100_000), INVALID, /config\.json/],
  ['config.json', `{"model_type": "bert", "x": ${deep(300)}}`, INVALID, /deeper than 200/],
  ['config.json', '\uFEFF{"model_type"', INVALID, /config\.json is not valid JSON/],
  ['config.json', '{"model_type": "bert", "x": [1e400]}', INVALID, /x\.0 in .*config\.json, found Infinity/],
  ['config.json', 'null', INVALID, /object in .*config\.json, found null/],
]

const modules: Case[] = [
  ['modules.json', [MODULE, ...many(100_000, () => POOLING)], INVALID, /at most 64 .*modules\.json.*100001/],
  ['modules.json', [], INVALID, /at least 1 .*modules\.json/],
  ['modules.json', { a: 1 }, INVALID, /array in .*modules\.json/],
  ['modules.json', [MODULE, null], INVALID, /object as \[1\] in .*modules\.json, found null/],
  ['modules.json', [MODULE, { type: POOLING.type }], INVALID, /\[1\]\.path of .*modules\.json/],
  ...['..', '/', '/etc', 'a/../../b', 'C:/x', 'a\\b', 'a\0b', 'x'.repeat(300)].map(
    (path): Case => [
      'modules.json',
      [MODULE, { ...POOLING, path }],
      INVALID,
      /\[1\]\.path of .*modules\.json names the/,
    ],
  ),
  ['1_Pooling/config.json', { pooling_mode: many(1_000_000, () => 'mean') }, INVALID, /1000000 values of pooling_mode/],
  ['1_Pooling/config.json', { pooling_mode: { a: 1 } }, INVALID, /pooling mode an object/],
  ['1_Pooling/config.json', '[1]', INVALID, /object in .*1_Pooling.config\.json/],
  [
    '2_Dense/config.json',
    { out_features: 1e9 },
    MISFIT,
    /linear\.weight is \[16,32\] in .*2_Dense.*expected \[1000000000,32\]/,
  ],
  ['2_Dense/config.json', { in_features: 1e9 }, INVALID, /2_Dense.config\.json has in_features 1000000000/],
  ['2_Dense/config.json', { out_features: '16' }, INVALID, /as out_features in .*2_Dense.config\.json, found "16"/],
  ['sentence_bert_config.json', { max_seq_length: -5 }, INVALID, /max_seq_length in .*, found -5/],
  ['config_sentence_transformers.json', { prompts: { a: 1 } }, INVALID, /prompts\.a in .*config_sentence_tr/],
  ['config_sentence_transformers.json', { prompts: 'x' }, INVALID, /object as prompts in/],
  ['config_sentence_transformers.json', { prompts: { a: 'x'.repeat(1e6) } }, INVALID, /prompts\.a/],
  ['config_sentence_transformers.json', { default_prompt_name: 7 }, INVALID, /default_prompt_name/],
  ['config_sentence_transformers.json', { default_prompt_name: 'constructor' }, INVALID, /default_prompt_name/],
  ['config_sentence_transformers.json', { truncate_dim: 1.5 }, INVALID, /truncate_dim/],
]

const tokenizers: Case[] = [
  ['tokenizer.json', 'null', INVALID, /object in tokenizer\.json, found null/],
  ['tokenizer.json', '{"model": ', INVALID, /tokenizer\.json is not valid JSON/],
  ['tokenizer.json', `{"decoder": ${deep(300)}}`, INVALID, /nested at most 200 deep in tokenizer\.json/],
  ['tokenizer.json', { model: null }, INVALID, /object as model in tokenizer\.json, found null/],
  ['tokenizer.json', { model: 3 }, INVALID, /object as model in tokenizer\.json/],
  ['tokenizer.json', { model: { type: 'WordPiece', vocab: null } }, INVALID, /no vocabulary/],
  ['tokenizer.json', { model: { type: 'WordPiece', vocab: { a: -1 } } }, INVALID, /model\.vocab\.a in tokenizer\.json/],
  ['tokenizer.json', { model: { type: 'WordPiece', vocab: { a: 1e9 } } }, INVALID, /model\.vocab\.a/],
  ['tokenizer.json', { model: { type: 'WordPiece', vocab: { a: '1' } } }, INVALID, /model\.vocab\.a/],
  ['tokenizer.json', { model: { type: 'WordPiece', vocab: { ['a'.repeat(5000)]: 1 } } }, INVALID, /1000 characters/],
  ['tokenizer.json', { model: { type: 'Unigram', vocab: [['a', 0], ['b']] } }, INVALID, /model\.vocab\[1\]/],
  ['tokenizer.json', { model: { type: 'Unigram', vocab: [['a', 'b']] } }, INVALID, /model\.vocab\[0\]\[1\]/],
  ['tokenizer.json', { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 7 } }, INVALID, /unk_id 7/],
  ['tokenizer.json', { model: { type: 'BPE', vocab: { a: 0 } } }, INVALID, /no merges/],
  ['tokenizer.json', { model: { type: 'BPE', vocab: [], merges: [] } }, INVALID, /BPE model has no vocabulary/],
  ['tokenizer.json', { model: { type: 'BPE', vocab: { a: 0 }, merges: [7] } }, INVALID, /model\.merges\[0\]/],
  ['tokenizer.json', { added_tokens: {} }, INVALID, /array as added_tokens/],
  ['tokenizer.json', { added_tokens: [token, { ...token, id: '2' }] }, INVALID, /added_tokens\[1\]\.id/],
  ['tokenizer.json', { added_tokens: [{ ...token, content: 'x'.repeat(1e6) }] }, INVALID, /added_tokens\[0\]\.content/],
  ['tokenizer.json', { added_tokens: [{ ...token, lstrip: 'yes' }] }, INVALID, /added_tokens\[0\]\.lstrip/],
  ['tokenizer.json', { normalizer: [] }, INVALID, /object as normalizer/],
  ['tokenizer.json', { normalizer: { type: 'Sequence' } }, INVALID, /normalizer\.normalizers in tokenizer\.json/],
  ['tokenizer.json', { normalizer: { type: 'Sequence', normalizers: [null] } }, INVALID, /normalizers\[0\]/],
  ['tokenizer.json', { normalizer: { type: 'Prepend', prepend: 5 } }, INVALID, /normalizer\.prepend/],
  [
    'tokenizer.json',
    { normalizer: { type: 'Sequence', normalizers: many(5000, () => ({ type: 'NFC' })) } },
    INVALID,
    /at most 1000 blocks/,
  ],
  ['tokenizer.json', { pre_tokenizer: 'x' }, INVALID, /object as pre_tokenizer/],
  ['tokenizer.json', { pre_tokenizer: { type: 'FixedLength', length: 0 } }, INVALID, /pre_tokenizer\.length/],
  ['tokenizer.json', { pre_tokenizer: { type: 'Metaspace', prepend_scheme: 1 } }, INVALID, /prepend_scheme/],
  [
    'tokenizer.json',
    { pre_tokenizer: { type: 'Sequence', pretokenizers: many(40, () => ({ type: 'ByteLevel' })) } },
    INVALID,
    /40 ByteLevel/,
  ],
  ['tokenizer.json', split(7), INVALID, /pre_tokenizer\.pattern\.Regex/],
  ['tokenizer.json', split('a|'.repeat(50_000)), INVALID, /pattern\.Regex/],
  ['tokenizer.json', split('(a)\\1'), 'ERR_NOT_IMPLEMENTED', /pattern \(a\)\\1/],
  ['tokenizer.json', split('((a{1,99}){1,99}){1,99}b'), 'ERR_NOT_IMPLEMENTED', /more than 1000 states/],
  ['tokenizer.json', split('('.repeat(5000)), 'ERR_NOT_IMPLEMENTED', /in its Split the pattern/],
  ['tokenizer.json', split('(?:'.repeat(500) + ')'.repeat(500)), 'ERR_NOT_IMPLEMENTED', /deeper than 100/],
  ['tokenizer.json', { post_processor: { type: 'BertProcessing' } }, INVALID, /post_processor\.cls/],
  ['tokenizer.json', { post_processor: { type: 'Sequence', processors: 4 } }, INVALID, /post_processor\.processors/],
  [
    'tokenizer.json',
    { post_processor: { type: 'TemplateProcessing', single: [{}], special_tokens: {} } },
    INVALID,
    /post_processor\.single\[0\]\.SpecialToken/,
  ],
  [
    'tokenizer.json',
    { post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: 'constructor' } }] } },
    INVALID,
    /names "constructor"/,
  ],
  ['tokenizer.json', { truncation: { direction: 5 } }, INVALID, /truncation\.direction/],
  ['tokenizer_config.json', '[]', INVALID, /object in .*tokenizer_config\.json/],
  ['tokenizer_config.json', { truncation_side: 5 }, INVALID, /truncation_side in tokenizer_config\.json/],
  ['tokenizer_config.json', { tokenizer_class: {} }, INVALID, /tokenizer_class/],
  ['tokenizer_config.json', { added_tokens_decoder: { x: 'a' } }, INVALID, /added_tokens_decoder/],
  ['tokenizer_config.json', { added_tokens_decoder: { 1: 5 } }, INVALID, /added_tokens_decoder\.1/],
  ['tokenizer_config.json', { extra_special_tokens: 'abc' }, INVALID, /extra_special_tokens/],
  ['tokenizer_config.json', { cls_token: { content: 'x', special: 3 } }, INVALID, /cls_token\.special/],
  [
    'special_tokens_map.json',
    '{"cls_token": {"content": "x", "lstrip": []}}',
    INVALID,
    /cls_token\.lstrip in special_t/,
  ],
  ['tokenizer_config.json', { unk_token: {} }, INVALID, /unk_token\.content in tokenizer_config\.json/],
  ['special_tokens_map.json', '{"sep_token": false}', INVALID, /sep_token in special_tokens_map\.json/],
  ['special_tokens_map.json', '7', INVALID, /object in .*special_tokens_map\.json/],
  ['added_tokens.json', '{"x": "y"}', INVALID, /as x in added_tokens\.json/],
]

async function change(folder: string, file: string, changes: Case[1]): Promise<void> {
  const whole = typeof changes === 'string' || Array.isArray(changes)
  const old = whole ? {} : JSON.parse(await readFile(join(folder, file), 'utf8').catch(() => '{}'))
  await writeFiles(folder, { [file]: whole ? changes : { ...old, ...changes } })
}

async function settled<T>(work: () => Promise<T>): Promise<{ value?: T; error?: unknown; milliseconds: number }> {
  const start = process.cpuUsage()
  const result = await work().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  const { user, system } = process.cpuUsage(start)
  return { ...result, milliseconds: (user + system) / 1000 }
}

for (const [kind, cases] of Object.entries({ config, modules, tokenizers })) {
  test(`a hostile folder is an error that names file and key: ${kind}`, async (t) => {
    for (const [file, changes, code, message] of cases) {
      const folder = await temporaryFolder(t)
      await writeModel(folder, '5.2')
      // Classes of BERT put their own parts in the place of the file's.
      await change(folder, 'tokenizer_config.json', fast)
      await change(folder, file, changes)
      const { error, milliseconds } = await settled(() => loadWith(() => fakeAddon(), folder, {}))
      const label = `${file} ${JSON.stringify(changes).slice(0, 100)}`
      t.true(error instanceof SentenceTorchError, `${label}: ${error}`)
      t.is((error as SentenceTorchError).code, code as SentenceTorchError['code'], `${label}: ${error}`)
      t.regex((error as Error).message, message, label)
      t.true((error as Error).message.length < 2000, label)
      t.true(milliseconds < 5000, label)
    }
  })
}

test('what is no file, and what is too large for one text, is refused before it is read', async (t) => {
  const folder = await temporaryFolder(t)
  for (const file of ['config.json', 'modules.json', 'tokenizer.json', 'model.safetensors']) {
    await writeModel(folder, '5.2')
    await rm(join(folder, file))
    await mkdir(join(folder, file))
    const { error } = await settled(() => loadWith(() => fakeAddon(), folder, {}))
    t.true(error instanceof SentenceTorchError && error.message.includes(file), `${file}: ${error}`)
    await rm(join(folder, file), { recursive: true })
  }
  await writeModel(folder, '5.2')
  await writeFile(join(folder, 'tokenizer.json'), '')
  await truncate(join(folder, 'tokenizer.json'), 600 * 1024 * 1024)
  const { error, milliseconds } = await settled(() => loadWith(() => fakeAddon(), folder, {}))
  t.like(error, { code: INVALID })
  t.regex((error as Error).message, /at most 268435456 bytes in .*tokenizer\.json, found 629145600/)
  t.true(milliseconds < 5000)
})

test('a table that is not there, and layers, are one line each', async (t) => {
  const folder = await temporaryFolder(t)
  await writeModel(folder, 'plain', { num_hidden_layers: 4000 })
  const shapes = bertShapes(tinyConfig).filter(([name]) => !name.includes('word_embeddings'))
  await writeSafetensors(join(folder, 'model.safetensors'), someTensors(shapes))
  const { error } = await settled(() => loadWith(() => fakeAddon(), folder, {}))
  t.like(error, { code: MISFIT })
  t.regex(
    (error as Error).message,
    /^2 tensors do not fit.*\n.*missing: 0\.embeddings\.word_embeddings\.weight \[50,32\]/,
  )
  t.regex(
    (error as Error).message,
    /num_hidden_layers is 4000.*2 layers; missing: 0\.encoder\.layer\.2\.\* and 3997 layers more/,
  )
})

test('labels of a classifier and the checkpoint of a loss are compared with their tensors too', async (t) => {
  const folder = await temporaryFolder(t)
  await writeModel(folder, 'plain')
  const labels = async (num_labels: unknown) => {
    await change(folder, 'config.json', { architectures: ['BertForSequenceClassification'], num_labels })
    return (await settled(() => loadCrossEncoderParts(() => fakeAddon(), folder, {}))).error as Error
  }
  t.regex((await labels(1e9)).message, /labels in .*config\.json, found 1000000000/)
  t.regex((await labels('2')).message, /labels in .*config\.json, found "2"/)
  t.regex((await labels(7)).message, /missing: 0\.classifier\.weight \[7,32\]/)
  const classifier = someTensors([
    ['classifier.weight', [3, 32]],
    ['classifier.bias', [3]],
  ])
  await writeSafetensors(join(folder, 'model.safetensors'), [...someTensors(bertShapes(tinyConfig)), ...classifier])
  t.regex((await labels(7)).message, /classifier\.weight is \[3,32\] in .*expected \[7,32\]/)
  await change(folder, 'config.json', { vocab_size: 9e6 })
  const own = { transformerPath: folder, id: undefined, addon: fakeAddon() }
  const { error } = await settled(() => LanguageModelWeights.open(own))
  t.like(error, { code: MISFIT })
  t.regex((error as Error).message, /word_embeddings\.weight is \[50,32\].*expected \[9000000,32\]/)
  // Sizes that no tensor shows.
  await change(folder, 'config.json', { vocab_size: 50, num_hidden_layers: 9000 })
  const larger = await settled(() => LanguageModelWeights.open(own))
  t.like(larger.error, { code: MISFIT })
  t.regex((larger.error as Error).message, /sizes of config\.json make \d+ parameters, but there are \d+ in/)
})

test('what Python takes is taken: null for absent, whole numbers with a fraction, no limit, keys that nobody knows', async (t) => {
  const folder = await temporaryFolder(t)
  await writeModel(folder, '5.2')
  const text = await readFile(join(folder, 'config.json'), 'utf8')
  await writeFile(join(folder, 'config.json'), text.replace('"hidden_size":32', '"hidden_size":32.0'))
  await change(folder, 'config.json', { classifier_dropout: null, pad_token_id: null, x: { y: [1] } })
  await change(folder, 'config_sentence_transformers.json', { prompts: null, default_prompt_name: null })
  await change(folder, 'sentence_bert_config.json', { max_seq_length: null })
  await change(folder, 'tokenizer_config.json', {
    ...{ model_max_length: 1e30, truncation_side: null, add_bos_token: true, chat_template: [{ name: 'x' }] },
    ...{ extra_special_tokens: {}, additional_special_tokens: null, added_tokens_decoder: null, never_split: null },
  })
  await change(folder, 'tokenizer.json', { normalizer: null, padding: { x: 1 }, decoder: null, post_processor: null })
  const model = await loadWith(() => fakeAddon(), folder, {})
  await model.save(join(folder, 'saved'))
  const saved = JSON.parse(await readFile(join(folder, 'saved', 'config.json'), 'utf8'))
  t.is(saved.pad_token_id, null)
  t.deepEqual(saved.x, { y: [1] })
})
