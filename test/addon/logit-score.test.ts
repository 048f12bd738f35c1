// Cross-encoders of language models: what is refused, evaluators, templates of one's own.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { CrossEncoder, evaluation, type Pair, SentenceTransformer } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/logit-score/', import.meta.url))
const pairs: Pair[] = [
  ['how many dogs?', 'the big dog runs'],
  ['how many dogs?', 'a woman plays the flute'],
]

/** A copy of a golden model, whose JSON files get other members. */
async function changed(t: ExecutionContext, name: string, files: Record<string, object | string | null>) {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(join(GOLDEN, name), folder, { recursive: true })
  for (const [file, change] of Object.entries(files)) {
    const path = join(folder, file)
    if (change === null) await rm(path)
    else if (typeof change === 'string') await writeFile(path, change)
    else await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }))
  }
  return folder
}

const HEAD = '1_LogitScore/config.json'
const SETTINGS = 'sentence_bert_config.json'
const TEMPLATE = 'chat_template.jinja'

for (const [what, files, code, message] of [
  [
    'a token outside of the vocabulary',
    { [HEAD]: { true_token_id: 424 } },
    'ERR_INVALID_MODEL',
    /0 to 423.*true_token_id in .*1_LogitScore.config\.json, found 424/,
  ],
  ['a token below 0', { [HEAD]: { false_token_id: -1 } }, 'ERR_INVALID_MODEL', /false_token_id in .*found -1/],
  ['a token that is no number', { [HEAD]: { true_token_id: 'yes' } }, 'ERR_INVALID_MODEL', /true_token_id in .*"yes"/],
  ['no settings of the module', { [HEAD]: null }, 'ERR_INVALID_MODEL', /has no .*1_LogitScore.config\.json/],
  [
    'another input',
    { [HEAD]: { module_input_name: 'token_embeddings' } },
    'ERR_NOT_IMPLEMENTED',
    /module_input_name "token_embeddings"/,
  ],
  [
    'no chat template',
    { [TEMPLATE]: null },
    'ERR_INVALID_MODEL',
    /sentence_bert_config\.json has modality_config with message.*chat_template\.jinja is not there/,
  ],
  [
    'a template that cannot be read',
    { [TEMPLATE]: 'a\n{% for m in messages %}\n{{ m.content }\n{% endfor %}' },
    'ERR_INVALID_MODEL',
    /chat_template\.jinja:3 cannot be understood/,
  ],
  [
    'a template that fails',
    { [TEMPLATE]: 'a\n{{ messages[0].content }}\n{{ raise_exception("no " ~ messages[1].role) }}' },
    'ERR_INVALID_MODEL',
    /chat_template\.jinja:3 fails: .*no document/,
  ],
  [
    'a template without an end',
    { [TEMPLATE]: '{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}' },
    'ERR_INVALID_MODEL',
    /chat_template\.jinja:1 fails: .*steps/,
  ],
  [
    'a template that is not UTF-8',
    { [TEMPLATE]: null, 'tokenizer_config.json': { chat_template: 5 } },
    'ERR_INVALID_MODEL',
    /an array as chat_template in .*tokenizer_config\.json/,
  ],
  [
    'a template that leaves the document out',
    { [TEMPLATE]: '{{ messages[0].content }}' },
    'ERR_INVALID_MODEL',
    /chat_template\.jinja cannot carry a pair \(.*"document".*chatTemplate/,
  ],
  [
    'templates of which none is the default',
    { [TEMPLATE]: null, 'tokenizer_config.json': { chat_template: [{ name: 'tool_use', template: 'x' }] } },
    'ERR_INVALID_MODEL',
    /named default in .*tokenizer_config\.json.*tool_use/,
  ],
  [
    'a format of messages that there is not',
    { [SETTINGS]: { modality_config: { message: { format: 'round' } } } },
    'ERR_INVALID_MODEL',
    /modality_config\.message\.format in .*"round"/,
  ],
  [
    'settings of the tokenizer',
    { [SETTINGS]: { processing_kwargs: { text: { max_length: 5 } } } },
    'ERR_NOT_IMPLEMENTED',
    /sentence_bert_config\.json has processing_kwargs\.text\.max_length 5/,
  ],
  [
    'a template by its name',
    { [SETTINGS]: { processing_kwargs: { chat_template: { chat_template: 'x' } } } },
    'ERR_NOT_IMPLEMENTED',
    /processing_kwargs\.chat_template\.chat_template "x"/,
  ],
  [
    'another task',
    { [SETTINGS]: { transformer_task: 'any-to-any' } },
    'ERR_NOT_IMPLEMENTED',
    /transformer_task "any-to-any"/,
  ],
  [
    'more modules',
    {
      'modules.json': JSON.stringify(
        ['Transformer', 'LogitScore', 'Dense'].map((type) => ({ path: '', type: `a.${type}` })),
      ),
    },
    'ERR_NOT_IMPLEMENTED',
    /Transformer, LogitScore, Dense/,
  ],
  [
    'no last layer',
    { 'config.json': { tie_word_embeddings: false } },
    'ERR_INVALID_TENSORS',
    /missing: 0\.lm_head\.weight \[424,32\]/,
  ],
] as const) {
  test(`refused: ${what}`, async (t) => {
    await t.throwsAsync(CrossEncoder.load(await changed(t, 'qwen3', files)), { code, message })
  })
}

test('refused: an architecture whose model for the next token is not built, and several labels', async (t) => {
  const bert = join(await temporaryFolder(t), 'model')
  await cp(join(GOLDEN, '..', 'cross-encoder', 'bare'), bert, { recursive: true })
  const file = join(bert, 'config.json')
  const config = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...config, architectures: ['BertForCausalLM'] }))
  await t.throwsAsync(CrossEncoder.load(bert), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /"bert", whose model for the next token/,
  })
  await t.throwsAsync(CrossEncoder.load(join(GOLDEN, 'plain'), { numLabels: 3 }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /numLabels/,
  })
  await t.throwsAsync(SentenceTransformer.load(join(GOLDEN, 'qwen3')), { code: 'ERR_NOT_IMPLEMENTED' })
})

test('refused: a folder without the module whose tokenizer has no yes and no; further templates beside the first', async (t) => {
  const folder = await changed(t, 'plain', {})
  await mkdir(join(folder, 'additional_chat_templates'))
  await t.throwsAsync(CrossEncoder.load(folder), { code: 'ERR_NOT_IMPLEMENTED', message: /additional_chat_templates/ })
  await rm(join(folder, 'additional_chat_templates'), { recursive: true })
  const file = join(folder, 'tokenizer.json')
  const json = JSON.parse(await readFile(file, 'utf8'))
  json.model.merges = json.model.merges.filter((merge: [string, string]) => !merge.join('').includes('yes'))
  for (const token of Object.keys(json.model.vocab)) if (token.includes('yes')) delete json.model.vocab[token]
  await writeFile(file, JSON.stringify(json))
  await t.throwsAsync(CrossEncoder.load(folder), { code: 'ERR_INVALID_MODEL', message: /found no yes/ })
})

test('a template of one’s own takes the place of the model’s, is saved, and is checked', async (t) => {
  const chatTemplate = '{{ messages[-2].content }} is answered by {{ messages[-1].content }}, yes or no?'
  await using model = await CrossEncoder.load(join(GOLDEN, 'text'), { chatTemplate })
  await using joined = await CrossEncoder.load(join(GOLDEN, 'text'))
  t.notDeepEqual((await model.predict(pairs)).data, (await joined.predict(pairs)).data)
  // The tokenizer of this model adds no special tokens, so that one text is the same row as a pair of texts.
  const texts = pairs.map(([a, b]): Pair => [`${a} is answered by ${b}, yes or no?`, ''])
  t.deepEqual((await model.predict(pairs)).data, (await joined.predict(texts)).data)
  const target = join(await temporaryFolder(t), 'saved')
  await model.save(target)
  t.is(await readFile(join(target, TEMPLATE), 'utf8'), chatTemplate)
  await using again = await CrossEncoder.load(target)
  t.deepEqual((await again.predict(pairs)).data, (await model.predict(pairs)).data)
  await t.throwsAsync(CrossEncoder.load(join(GOLDEN, 'text'), { chatTemplate: '{{ messages[0].content }}' }), {
    code: 'ERR_INVALID_MODEL',
    message: /chatTemplate/,
  })
  await t.throwsAsync(CrossEncoder.load(join(GOLDEN, 'text'), { chatTemplate: 5 } as object), {
    code: 'ERR_INVALID_ARGUMENT',
  })
})

test('evaluators give what predict does', async (t) => {
  await using model = await CrossEncoder.load(join(GOLDEN, 'gemma3'))
  const sentencePairs = [...pairs, ['run', 'runs'] as Pair, ['a dog', 'the cat'] as Pair]
  const { data } = await model.predict(sentencePairs)
  const scores = Array.from(data)
  const correlation = await new evaluation.CrossEncoderCorrelationEvaluator({ sentencePairs, scores })(model)
  t.true(Math.abs(correlation.pearson! - 1) < 1e-6)
  const best = scores.indexOf(Math.max(...scores.slice(0, 2)))
  const samples = [{ query: pairs[0]![0], positive: [pairs[best]![1]], negative: [pairs[1 - best]![1]] }]
  const ranked = await new evaluation.CrossEncoderRerankingEvaluator({ samples })(model)
  t.is(ranked['mrr@10'], 1)
})

test('texts that are none are named', async (t) => {
  await using model = await CrossEncoder.load(join(GOLDEN, 'qwen3'))
  await t.throwsAsync(model.predict([['a', 5]] as unknown as Pair[]), { message: /pairs\[0\]/ })
  await t.throwsAsync(model.pairTokenizer.encode(['a'], [5] as unknown as string[]), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /the second text of pair 0/,
  })
  await t.throwsAsync(model.pairTokenizer.encode(['a'], []), { code: 'ERR_INVALID_ARGUMENT' })
})
