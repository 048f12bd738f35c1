import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { writeSafetensors } from '../../io/safetensors.js'
import type { SavedAdapter } from '../adapters/config.js'
import type { FullCard } from '../card/full-card.js'
import { VECTORS } from '../folder-config.js'
import { toJson } from '../json.js'
import { fullModelCard } from '../model-card.js'
import { hasWeights, type ModuleName, savedConfig } from '../modules/index.js'
import { configWithDType, type SavedWeights, tensors, tokenizerConfig, writeAdapter } from '../save-folder.js'
import type { MultiVectorFolder } from './folder.js'

/** What the model card tells beside the model's own settings. */
export interface MultiVectorCard {
  /** Folder that the model is saved to; its name is the title. */
  target: string
  baseModel?: string
  /** Width of a vector. */
  dimension: number
  /** Of this package. */
  version: string
  /** What a training tells, for the card of a model that was trained here. */
  full?: FullCard | undefined
}

/** Where sentence-transformers 6.x, the first with such models, has its modules. */
const TYPES: Partial<Record<ModuleName | 'Transformer', string>> = {
  Transformer: 'base.modules.transformer',
  Dense: 'base.modules.dense',
  Normalize: 'base.modules.normalize',
  MultiVectorMask: 'multi_vector_encoder.modules.multi_vector_mask',
  HierarchicalTokenPooling: 'multi_vector_encoder.modules.token_pooling',
}

/** modules.json, and the folder of every module after the first. */
export function multiVectorModules({ modules }: Pick<MultiVectorFolder, 'modules'>): {
  paths: string[]
  list: object[]
} {
  const names = ['Transformer' as const, ...modules.map(({ type }) => type)]
  const paths = names.map((name, idx) => (idx === 0 ? '' : `${idx}_${name}`))
  const list = names.map((name, idx) => ({
    ...{ idx, name: String(idx), path: paths[idx]! },
    type: `sentence_transformers.${TYPES[name]}.${name}`,
  }))
  return { paths: paths.slice(1), list }
}

/** Writes a model's files into an empty folder, in the layout of sentence-transformers 6.x. */
export async function writeMultiVectorFolder(
  folder: string,
  model: MultiVectorFolder,
  weights: SavedWeights,
  card: MultiVectorCard,
  adapter?: SavedAdapter,
): Promise<void> {
  const json = (path: string, value: unknown, indent?: number) => writeFile(join(folder, path), toJson(value, indent))
  const { paths, list } = multiVectorModules(model)
  await json('modules.json', list)
  await json('config_sentence_transformers.json', {
    __version__: { sentence_torch: card.version },
    model_type: 'MultiVectorEncoder',
    prompts: model.prompts,
    default_prompt_name: model.defaultPromptName,
    similarity_fn_name: model.similarityFnName,
    ...model.extraModelConfig,
  })
  for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
  await json('sentence_bert_config.json', {
    max_seq_length: model.maxSeqLength,
    do_lower_case: model.doLowerCase,
    transformer_task: VECTORS.task,
    modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
    module_output_name: VECTORS.output,
    ...(model.queryLength !== null && { query_length: model.queryLength }),
    ...(model.documentLength !== null && { document_length: model.documentLength }),
    ...(model.queryExpansion !== null && { query_expansion: model.queryExpansion }),
    ...model.extraSentenceConfig,
  })
  // Stanford's class has its projection beside the transformer, which now has a folder of its own.
  const { architectures, ...rest } = configWithDType(model.config, weights.dtype)
  const config = model.projectionInRoot ? rest : { ...(architectures !== undefined && { architectures }), ...rest }
  if (adapter === undefined) await json('config.json', config)
  await json('tokenizer_config.json', tokenizerConfig(model))
  await writeFile(join(folder, 'README.md'), card.full ? await fullModelCard(card.full) : shortCard(model, card))
  if (adapter !== undefined) await writeAdapter(folder, adapter, weights.encoder)
  else await writeSafetensors(join(folder, 'model.safetensors'), tensors(weights, 0), { format: 'pt' })
  for (const [i, module] of model.modules.entries()) {
    await mkdir(join(folder, paths[i]!))
    const own = savedConfig(module)
    if (own) await json(join(paths[i]!, 'config.json'), own, 4)
    if (hasWeights(module.type)) {
      await writeSafetensors(join(folder, paths[i]!, 'model.safetensors'), tensors(weights, i + 1))
    }
  }
}

/** README.md: the metadata that the Hugging Face hub reads, and how to use the model from Node and Python. */
function shortCard(model: MultiVectorFolder, { target, baseModel, dimension, version }: MultiVectorCard): string {
  const name = basename(resolve(target))
  const metadata = [
    'tags:',
    ...['sentence-transformers', 'multi-vector', 'colbert', 'late-interaction'].map((tag) => `- ${tag}`),
    ...(baseModel ? [`base_model: ${baseModel}`] : []),
    'pipeline_tag: feature-extraction',
    'library_name: sentence-transformers',
  ]
  const origin = baseModel ? `fine-tuned from [${baseModel}](https://huggingface.co/${baseModel})` : 'trained'
  return `---
${metadata.join('\n')}
---

# ${name}

This is a [sentence-transformers](https://www.sbert.net) multi-vector encoder ${origin} with sentence-torch ${version}. It maps
texts to a vector of ${dimension} dimensions for each token, which are compared by late interaction (MaxSim).

- **Maximum sequence length:** ${model.maxSeqLength} tokens
- **Output dimensionality:** ${dimension}
- **Similarity function:** ${model.similarityFnName ?? 'maxsim'}
- **Modules:** ${['Transformer', ...model.modules.map(({ type }) => type)].join(' → ')}

## Usage

Node (\`npm install sentence-torch\`):

\`\`\`js
import { MultiVectorEncoder } from 'sentence-torch'

const model = await MultiVectorEncoder.load('path/to/${name}')
const hits = await model.rank('Which planet is red?', ['Mars is red.', 'Venus is hot.'])
\`\`\`

Python (\`pip install sentence-transformers\`):

\`\`\`python
from sentence_transformers import MultiVectorEncoder

model = MultiVectorEncoder("path/to/${name}")
queries = model.encode_query(["Which planet is red?"])
documents = model.encode_document(["Mars is red.", "Venus is hot."])
print(model.similarity(queries, documents))
\`\`\`
`
}
