import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { writeSafetensors } from '../io/safetensors.js'
import type { SavedAdapter } from './adapters/config.js'
import type { FullCard } from './card/full-card.js'
import { sparseWords } from './card/sparse-encoder-card.js'
import type { FirstModule } from './first-module.js'
import { toJson } from './json.js'
import { maskedPath } from './masked-model.js'
import { fullModelCard } from './model-card.js'
import { type FolderLayout, routerLayout } from './router/layout.js'
import { ROUTER_FILES } from './router/read.js'
import {
  configWithDType,
  networkWeights,
  type SavedWeights,
  tensors,
  tokenizerConfig,
  writeAdapter,
  writeFirstModule,
  writeModule,
} from './save-folder.js'
import { endsInAutoEncoder, type SparseFolder } from './sparse-folder.js'
import { wordWeightsConfig } from './word-weights.js'

/** What the model card tells beside the model's own settings. */
export interface SparseCard {
  /** Folder that the model is saved to; its name is the title. */
  target: string
  /** Hub id of the model that was fine-tuned, if known. */
  baseModel?: string
  embeddingDimension: number
  similarityFnName: string
  /** Of this package. */
  version: string
  /** What a training tells, for the card of a model that was trained here. */
  full?: FullCard | undefined
}

/**
 * Writes a sparse encoder's files into an empty folder, in the layout that SparseEncoder of sentence-transformers 5.x and 6.x and
 * text-embeddings-inference read; a plain …ForMaskedLM for transformers.
 */
export async function writeSparseFolder(
  folder: string,
  model: SparseFolder,
  weights: SavedWeights & { ownHead: boolean; ownHeads?: readonly boolean[] | undefined },
  card: SparseCard,
  adapter?: SavedAdapter,
): Promise<void> {
  const layout = model.router ? routerLayout(model.router, sparseType) : layoutOf(model)
  const { list, files, router } = layout
  await json(folder, 'modules.json', list)
  await json(folder, 'config_sentence_transformers.json', {
    __version__: { sentence_torch: card.version },
    model_type: 'SparseEncoder',
    prompts: model.prompts,
    default_prompt_name: model.defaultPromptName,
    similarity_fn_name: model.similarityFnName,
    ...(model.maxActiveDims === null ? {} : { max_active_dims: model.maxActiveDims }),
    ...model.extraModelConfig,
  })
  await writeFile(join(folder, 'README.md'), card.full ? await fullModelCard(card.full) : sparseCard(model, card))
  if (router) {
    await mkdir(join(folder, router.path), { recursive: true })
    await json(folder, join(router.path, ROUTER_FILES[0]), router.content, 4)
  }
  for (const { path, network, module } of files) {
    const own = join(folder, path)
    await mkdir(own, { recursive: true })
    const first = model.router?.networks[network] ?? model
    const part = model.router ? networkWeights(weights, network) : weights
    if (module !== -1) {
      await writeModule(own, first.modules[module]!, part, module + 1)
      continue
    }
    if (endsInAutoEncoder(first.modules)) {
      await writeFirstModule(own, first, part, adapter)
      continue
    }
    for (const [name, bytes] of first.tokenizerFiles) await writeFile(join(own, name), bytes)
    await json(own, 'tokenizer_config.json', tokenizerConfig(first))
    if (first.first === 'Transformer') {
      const ownHead = weights.ownHeads?.[network] ?? weights.ownHead
      await writeMaskedModel(own, first, { ...part, ownHead }, adapter)
    } else await writeWordWeights(own, first, part)
  }
}

function json(folder: string, path: string, value: unknown, indent?: number): Promise<void> {
  return writeFile(join(folder, path), toJson(value, indent))
}

/** A masked language model, as SparseEncoder and transformers read it; its tokenizer is written already. */
async function writeMaskedModel(
  folder: string,
  model: FirstModule,
  weights: SavedWeights & { ownHead: boolean },
  adapter: SavedAdapter | undefined,
): Promise<void> {
  const languageModel = model.description.languageModel!
  await json(folder, 'sentence_bert_config.json', {
    max_seq_length: model.maxSeqLength,
    do_lower_case: model.doLowerCase,
    ...model.extraSentenceConfig,
  })
  if (adapter !== undefined) return writeAdapter(folder, adapter, weights.encoder)
  await json(folder, 'config.json', {
    ...configWithDType(model.config, weights.dtype),
    architectures: [languageModel.className],
    ...(weights.ownHead && { tie_word_embeddings: false }),
  })
  const named = tensors(weights, 0).map((tensor) => {
    return { ...tensor, name: maskedPath(tensor.own, tensor.name, languageModel) }
  })
  // A head that is not tied reads the second name of its bias.
  const { bias } = languageModel
  const second = named.filter(({ own }) => weights.ownHead && bias?.second && own === bias.name)
  const all = [...named, ...second.map((tensor) => ({ ...tensor, name: bias!.second! }))]
  await writeSafetensors(join(folder, 'model.safetensors'), all, { format: 'pt' })
}

/** A SparseStaticEmbedding, which has one number for each token. */
async function writeWordWeights(folder: string, model: FirstModule, weights: SavedWeights): Promise<void> {
  await json(folder, 'config.json', wordWeightsConfig(model), 4)
  const all = tensors(weights, 0).map((tensor) => ({ ...tensor, shape: tensor.shape.slice(0, 1) }))
  await writeSafetensors(join(folder, 'model.safetensors'), all)
}

function sparseType(type: string): string {
  return `sentence_transformers.sparse_encoder.models.${type === 'Transformer' ? 'MLMTransformer' : type}`
}

/** Of a model with a SparseAutoEncoder, which has the modules of a SentenceTransformer before it. */
function latentType(type: string): string {
  return type === 'SparseAutoEncoder' ? sparseType(type) : `sentence_transformers.models.${type}`
}

function layoutOf(model: Pick<SparseFolder, 'first' | 'modules'>): FolderLayout {
  const { paths, list } = sparseModuleList(model)
  return { list, files: ['', ...paths].map((path, i) => ({ path, network: 0, module: i - 1 })) }
}

/** modules.json, and the folder of every module after the first. */
export function sparseModuleList(model: Pick<SparseFolder, 'first' | 'modules'>): { paths: string[]; list: object[] } {
  const paths = model.modules.map(({ type }, i) => `${i + 1}_${type}`)
  const types = [model.first, ...model.modules.map(({ type }) => type)]
  const typeName = endsInAutoEncoder(model.modules) ? latentType : sparseType
  const list = types.map((type, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : paths[idx - 1]!,
    type: typeName(type),
  }))
  return { paths, list }
}

/** README.md of a saved model that was not trained here. */
function sparseCard(model: SparseFolder, card: SparseCard): string {
  const name = basename(resolve(card.target))
  const base = card.baseModel
  const words = sparseWords(model)
  const tags = ['sentence-transformers', 'sparse-encoder', 'sparse', ...words.map((word) => word.toLowerCase())]
  const origin = base ? `fine-tuned from [${base}](https://huggingface.co/${base})` : 'trained'
  return `---
tags:
${tags.map((tag) => `- ${tag}`).join('\n')}
${base ? `base_model: ${base}\n` : ''}pipeline_tag: feature-extraction
library_name: sentence-transformers
---

# ${name}

This is a ${[...words, ''].join(' ')}[Sparse Encoder](https://www.sbert.net/docs/sparse_encoder/usage/usage.html) model ${origin} with sentence-torch
${card.version}. It maps texts to sparse vectors of ${card.embeddingDimension} dimensions${endsInAutoEncoder(model.modules) ? '' : ', one for each word of its vocabulary'}, for semantic
search and sparse retrieval.

- **Maximum sequence length:** ${model.maxSeqLength} tokens
- **Output dimensionality:** ${card.embeddingDimension}
- **Similarity function:** ${card.similarityFnName}

## Usage

Node (\`npm install sentence-torch\`):

\`\`\`js
import { SparseEncoder } from 'sentence-torch'

const model = await SparseEncoder.load('path/to/${name}')
const embeddings = await model.encode(['The weather is lovely today.', "It's so sunny outside!"])
const similarities = model.similarity(embeddings, embeddings)
\`\`\`

Python (\`pip install sentence-transformers\`):

\`\`\`python
from sentence_transformers import SparseEncoder

model = SparseEncoder("path/to/${name}")
embeddings = model.encode(["The weather is lovely today.", "It's so sunny outside!"])
similarities = model.similarity(embeddings, embeddings)
\`\`\`
`
}
