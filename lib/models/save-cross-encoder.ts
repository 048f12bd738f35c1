import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { FloatDType } from '../io/floats.js'
import { writeSafetensors } from '../io/safetensors.js'
import type { ConfigObject } from '../native/types.js'
import { ACTIVATION_PATHS } from './activations.js'
import type { SavedAdapter } from './adapters/config.js'
import type { FullCard } from './card/full-card.js'
import { pythonPath } from './checkpoint-names.js'
import type { CrossEncoderFolder } from './cross-encoder-folder.js'
import { CLASSIFICATION, NEXT_TOKEN } from './folder-config.js'
import { isObject, toJson } from './json.js'
import { LOGIT_SCORE_FOLDER, logitScoreConfig } from './logit-score.js'
import { fullModelCard } from './model-card.js'
import { configWithDType, type SavedWeights, tensors, tokenizerConfig, writeAdapter } from './save-folder.js'

/** What the model card tells beside the model's own settings. */
export interface CrossEncoderCard {
  /** Folder that the model is saved to; its name is the title. */
  target: string
  /** Hub id of the model that was fine-tuned, if known. */
  baseModel?: string
  /** Of this package. */
  version: string
  /** What a training tells, for the card of a model that was trained here. */
  full?: FullCard | undefined
}

/**
 * Writes a cross-encoder's files into an empty folder: those of sentence-transformers 6.x, its settings also in config.json,
 * where 4.x and 5.x look for them; a plain …ForSequenceClassification or …ForCausalLM for transformers.
 */
export async function writeCrossEncoderFolder(
  folder: string,
  model: CrossEncoderFolder,
  weights: SavedWeights,
  card: CrossEncoderCard,
  adapter?: SavedAdapter,
): Promise<void> {
  const json = (path: string, value: unknown) => writeFile(join(folder, path), toJson(value))
  const { logitScore, chat } = model
  await json('modules.json', moduleList(model))
  if (logitScore) {
    await mkdir(join(folder, LOGIT_SCORE_FOLDER))
    await json(join(LOGIT_SCORE_FOLDER, 'config.json'), logitScoreConfig(logitScore))
  }
  await json('config_sentence_transformers.json', {
    __version__: { sentence_torch: card.version },
    model_type: 'CrossEncoder',
    prompts: model.prompts,
    default_prompt_name: model.defaultPromptName,
    activation_fn: ACTIVATION_PATHS[model.activationFn],
    ...model.extraModelConfig,
  })
  const usage = logitScore ? NEXT_TOKEN : CLASSIFICATION
  const logits = { method: 'forward', method_output_name: 'logits' }
  await json('sentence_bert_config.json', {
    max_seq_length: model.maxSeqLength,
    do_lower_case: model.doLowerCase,
    transformer_task: usage.task,
    modality_config: { text: logits, ...(chat && { message: { ...logits, format: chat.format } }) },
    module_output_name: usage.output,
    ...(model.processing !== undefined && { processing_kwargs: model.processing }),
    ...model.extraSentenceConfig,
  })
  if (adapter === undefined) {
    const config = logitScore
      ? causalConfig(model, weights.dtype)
      : classifierConfig(model, card.version, weights.dtype)
    await json('config.json', config)
  }
  for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
  await json('tokenizer_config.json', tokenizerConfig(model))
  await writeFile(join(folder, 'README.md'), card.full ? await fullModelCard(card.full) : crossEncoderCard(model, card))
  if (adapter !== undefined) return writeAdapter(folder, adapter, weights.encoder)
  const named = tensors(weights, 0).map((tensor) => {
    return { ...tensor, name: pythonPath(tensor.own, tensor.name, model.classifier) }
  })
  await writeSafetensors(join(folder, 'model.safetensors'), named, { format: 'pt' })
}

function moduleList({ logitScore }: CrossEncoderFolder): object[] {
  const transformer = { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' }
  if (!logitScore) return [transformer]
  // Such models are read from version 6 on.
  const type = 'sentence_transformers.cross_encoder.modules.logit_score.LogitScore'
  return [
    { ...transformer, type: 'sentence_transformers.base.modules.transformer.Transformer' },
    { idx: 1, name: '1', path: LOGIT_SCORE_FOLDER, type },
  ]
}

function causalConfig({ config, classifier }: CrossEncoderFolder, dtype?: FloatDType): ConfigObject {
  return { ...configWithDType(config, dtype), architectures: [classifier.className] }
}

function classifierConfig(model: CrossEncoderFolder, version: string, dtype?: FloatDType): ConfigObject {
  const { sbert_ce_default_activation_function, num_labels, id2label, label2id, ...config } = configWithDType(
    model.config,
    dtype,
  )
  const names = Array.from({ length: model.numLabels }, (_, i) => {
    const kept = model.isClassifier && isObject(id2label) && Object.keys(id2label).length === model.numLabels
    const name = kept ? id2label[String(i)] : undefined
    return typeof name === 'string' || typeof name === 'number' ? String(name) : `LABEL_${i}`
  })
  return {
    ...config,
    architectures: [model.classifier.className],
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
    sentence_transformers: { activation_fn: ACTIVATION_PATHS[model.activationFn], version },
  }
}

/** README.md: the metadata that the Hugging Face hub reads, and how to use the model from Node and Python. */
function crossEncoderCard(model: CrossEncoderFolder, { target, baseModel, version }: CrossEncoderCard): string {
  const name = basename(resolve(target))
  const task = model.numLabels === 1 ? 'text-ranking' : 'text-classification'
  const metadata = [
    'tags:',
    ...['sentence-transformers', 'cross-encoder', 'reranker'].map((tag) => `- ${tag}`),
    ...(baseModel ? [`base_model: ${baseModel}`] : []),
    `pipeline_tag: ${task}`,
    'library_name: sentence-transformers',
  ]
  const origin = baseModel ? `fine-tuned from [${baseModel}](https://huggingface.co/${baseModel})` : 'trained'
  return `---
${metadata.join('\n')}
---

# ${name}

This is a [sentence-transformers](https://www.sbert.net) cross-encoder ${origin} with sentence-torch ${version}. It scores pairs of
texts, for reranking or classification.

- **Maximum sequence length:** ${model.maxSeqLength} tokens
- **Number of labels:** ${model.numLabels}
- **Activation:** ${model.activationFn}

## Usage

Node (\`npm install sentence-torch\`):

\`\`\`js
import { CrossEncoder } from 'sentence-torch'

const model = await CrossEncoder.load('path/to/${name}')
const scores = await model.predict([['How many people live in Berlin?', 'Berlin has 3.5 million inhabitants.']])
\`\`\`

Python (\`pip install sentence-transformers\`):

\`\`\`python
from sentence_transformers import CrossEncoder

model = CrossEncoder("path/to/${name}")
scores = model.predict([["How many people live in Berlin?", "Berlin has 3.5 million inhabitants."]])
\`\`\`
`
}
