// npm run test:pack: what users get. Packs the package, installs the tarball in an empty folder and runs the README's example
// there, on a tiny model that this script writes. LibTorch comes from the shared cache.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-pack-'))

function run(program, args, cwd, more = {}) {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...more,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
  return stdout
}

// npm tells its scripts where it is.
const npm = (args, cwd, more) =>
  process.env.npm_execpath
    ? run(process.execPath, [process.env.npm_execpath, ...args], cwd, more)
    : run('npm', args, cwd, more)

/** The first fenced block of TypeScript or JavaScript in the README that imports the package. */
function readmeExample() {
  const blocks = readFileSync(join(root, 'README.md'), 'utf8').matchAll(
    /```(?:ts|js|typescript|javascript)\n([\s\S]*?)```/g,
  )
  const example = [...blocks].map((match) => match[1]).find((code) => code.includes("from 'sentence-torch'"))
  if (!example) throw new Error("README.md has no example that imports from 'sentence-torch'")
  return example
}

/** A BERT of one layer and its tokenizer, random but deterministic, in Hugging Face layout. */
function writeTinyModel(folder) {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
  const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789']
  const vocab = [...special, ...letters, ...letters.map((letter) => `##${letter}`)]
  const [hidden, inner, positions] = [16, 24, 64]
  const config = {
    architectures: ['BertModel'],
    model_type: 'bert',
    vocab_size: vocab.length,
    hidden_size: hidden,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: inner,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    max_position_embeddings: positions,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    pad_token_id: 0,
  }
  const layer = 'encoder.layer.0'
  const linear = (name, outputs, inputs) => ({ [`${name}.weight`]: [outputs, inputs], [`${name}.bias`]: [outputs] })
  const norm = (name) => ({ [`${name}.weight`]: [hidden], [`${name}.bias`]: [hidden] })
  const shapes = {
    'embeddings.word_embeddings.weight': [vocab.length, hidden],
    'embeddings.position_embeddings.weight': [positions, hidden],
    'embeddings.token_type_embeddings.weight': [2, hidden],
    ...norm('embeddings.LayerNorm'),
    ...linear(`${layer}.attention.self.query`, hidden, hidden),
    ...linear(`${layer}.attention.self.key`, hidden, hidden),
    ...linear(`${layer}.attention.self.value`, hidden, hidden),
    ...linear(`${layer}.attention.output.dense`, hidden, hidden),
    ...norm(`${layer}.attention.output.LayerNorm`),
    ...linear(`${layer}.intermediate.dense`, inner, hidden),
    ...linear(`${layer}.output.dense`, hidden, inner),
    ...norm(`${layer}.output.LayerNorm`),
  }
  const header = {}
  const values = []
  for (const [name, shape] of Object.entries(shapes)) {
    const start = values.length * 4
    const count = shape.reduce((a, b) => a * b, 1)
    const one = /LayerNorm\.weight$/.test(name) ? 1 : 0
    for (let i = 0; i < count; i++) values.push(one + 0.3 * Math.sin(1 + values.length * 12.9898))
    header[name] = { dtype: 'F32', shape, data_offsets: [start, values.length * 4] }
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => {
      return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: '[SEP]', type_id: 1 } },
      ],
      special_tokens: {
        '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
        '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
      },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
    },
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(
    join(folder, 'model.safetensors'),
    Buffer.concat([length, json, Buffer.from(Float32Array.from(values).buffer)]),
  )
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ tokenizer_class: 'BertTokenizer', model_max_length: positions, do_lower_case: true }),
  )
}

try {
  npm(['pack', '--ignore-scripts', '--pack-destination', work], root)
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'))
  const user = join(work, 'user')
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  npm(['install', '--no-audit', '--no-fund', join(work, tarball)], user)

  // The example names a model of the hub: a folder of that name beside it is what loading looks at first.
  const example = readmeExample()
  const model = /SentenceTransformer\.load\(\s*'([^']+)'/.exec(example)?.[1]
  if (!model) throw new Error('The example of README.md loads no model')
  writeTinyModel(join(user, model))
  const pairs = Array.from({ length: 64 }, (_, i) => ({ anchor: `question ${i}`, positive: `answer ${i}` }))
  for (const [, file] of example.matchAll(/Dataset\.fromFile\('([^']+\.jsonl)'\)/g)) {
    writeFileSync(join(user, file), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
  }
  writeFileSync(join(user, 'example.mjs'), example)
  console.log(run(process.execPath, ['example.mjs'], user))

  const check = `
    import { SentenceTransformer } from 'sentence-torch'
    const model = await SentenceTransformer.load(${JSON.stringify(model)})
    const { data, shape } = await model.encode(['one text', 'another'])
    if (shape[0] !== 2 || shape[1] !== 16 || !data.every(Number.isFinite)) throw new Error('bad embeddings')
    await model.dispose()
  `
  run(process.execPath, ['--input-type=module', '--eval', check], user)
  console.log('1 passed, 0 failed')
} catch (error) {
  console.error(error.message)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
