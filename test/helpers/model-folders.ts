// Model folders as the versions of sentence-transformers write them, with a tiny BERT inside.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type TensorSource, writeSafetensors } from '../../lib/io/safetensors.js'
import type { ConfigObject } from '../../lib/native/types.js'
import { bertShapes } from './fake-addon.js'
import { tinyConfig } from './tiny-model.js'
import { SPECIAL_TOKENS, wordPieceTokenizer } from './word-piece.js'

const WORDS = 'the a cat dog sat ran on mat query passage : fast slow ##s ##ly'.split(' ')

/** With a truncation that must be ignored. */
export const tinyTokenizer = {
  ...wordPieceTokenizer(WORDS),
  truncation: { max_length: 5, strategy: 'LongestFirst', stride: 0, direction: 'Right' },
}

/** Id of a word of the tiny vocabulary. */
export function wordId(word: string): number {
  return [...SPECIAL_TOKENS, ...WORDS].indexOf(word)
}

/** A folder that is removed after the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Writes files by path: text as it is, anything else as JSON; undefined writes nothing. */
export async function writeFiles(folder: string, files: Record<string, unknown>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    if (content === undefined) continue
    const target = join(folder, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, typeof content === 'string' ? content : JSON.stringify(content))
  }
}

/** Float32 tensors whose values differ from each other, the same ones at every call. */
export function someTensors(
  shapes: [name: string, shape: number[]][],
  rename = (name: string) => name,
): TensorSource[] {
  return shapes.map(([name, shape], k) => {
    const elements = shape.reduce((product, n) => product * n, 1)
    const centre = name.endsWith('LayerNorm.weight') ? 1 : 0
    const values = Float32Array.from({ length: elements }, (_, i) => centre + 0.2 * Math.sin(i * 12.9898 + k * 78.233))
    return { name: rename(name), dtype: 'F32', shape, data: new Uint8Array(values.buffer) }
  })
}

export type Layout = '2.0' | '3.0' | '4.1' | '5.2' | '6.0' | 'plain'

/** Dense of the fixtures: 32 → 16. */
export const denseShapes: [string, number[]][] = [
  ['linear.weight', [16, 32]],
  ['linear.bias', [16]],
]

/** A folder as that version writes it: BERT, mean pooling, Dense (32 → 16, Tanh; not in 2.0 and plain), Normalize. */
export async function writeModel(folder: string, layout: Layout, config: ConfigObject = {}): Promise<void> {
  const six = layout === '6.0'
  const plain = layout === 'plain'
  const transformer = { architectures: ['BertModel'], ...tinyConfig, x_unknown: { kept: true }, ...config }
  await writeFiles(folder, {
    'config.json': six ? { ...transformer, dtype: 'float16' } : { ...transformer, torch_dtype: 'float16' },
    'tokenizer.json': tinyTokenizer,
    'tokenizer_config.json': {
      tokenizer_class: 'BertTokenizer',
      do_lower_case: true,
      model_max_length: six ? 24 : 512,
    },
  })
  await writeSafetensors(join(folder, 'model.safetensors'), someTensors(bertShapes(transformer)), { format: 'pt' })
  if (plain) return
  const dense = layout !== '2.0'
  await writeFiles(folder, {
    'modules.json': modulesJson(six, dense),
    'config_sentence_transformers.json': modelConfigJson(layout),
    'sentence_bert_config.json': six
      ? {
          transformer_task: 'feature-extraction',
          modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
          module_output_name: 'token_embeddings',
        }
      : { max_seq_length: 24, do_lower_case: false },
    '1_Pooling/config.json': poolingJson(layout),
  })
  if (!dense) return
  const names = six ? { module_input_name: 'sentence_embedding', module_output_name: 'sentence_embedding' } : {}
  await writeFiles(folder, {
    '2_Dense/config.json': {
      ...{ in_features: 32, out_features: 16, bias: true },
      activation_function: 'torch.nn.modules.activation.Tanh',
      ...names,
    },
    '3_Normalize/config.json': six ? names : undefined,
  })
  await writeSafetensors(join(folder, '2_Dense/model.safetensors'), someTensors(denseShapes))
}

function modulesJson(six: boolean, dense: boolean): object[] {
  const types = ['Transformer', 'Pooling', ...(dense ? ['Dense'] : []), 'Normalize']
  const home: Record<string, string> = {
    Transformer: 'base.modules.transformer',
    Pooling: 'sentence_transformer.modules.pooling',
    Dense: 'base.modules.dense',
    Normalize: 'base.modules.normalize',
  }
  return types.map((type, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${type}`,
    type: `sentence_transformers.${six ? home[type] : 'models'}.${type}`,
  }))
}

function modelConfigJson(layout: Layout): object {
  const __version__ = { sentence_transformers: layout, transformers: '4', pytorch: '2' }
  if (layout === '2.0') return { __version__ }
  if (layout === '3.0') return { __version__, prompts: {}, default_prompt_name: null, similarity_fn_name: null }
  const prompts = { query: 'query: ', document: '' }
  const base = { __version__, prompts, default_prompt_name: null, similarity_fn_name: 'dot' }
  if (layout === '4.1') return base
  return { ...base, model_type: 'SentenceTransformer', ...(layout === '6.0' ? { truncate_dim: 8 } : {}) }
}

function poolingJson(layout: Layout): object {
  if (layout === '6.0') return { embedding_dimension: 32, pooling_mode: 'mean', include_prompt: true }
  const flags = {
    word_embedding_dimension: 32,
    pooling_mode_cls_token: false,
    pooling_mode_mean_tokens: true,
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  }
  if (layout === '2.0') return flags
  const later = { pooling_mode_weightedmean_tokens: false, pooling_mode_lasttoken: false, include_prompt: true }
  return { ...flags, ...later }
}
