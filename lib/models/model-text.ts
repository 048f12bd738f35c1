import type { ConfigValue } from '../native/types.js'
import type { CrossEncoderFolder } from './cross-encoder-folder.js'
import type { FirstModule } from './first-module.js'
import { CLASSIFICATION, FILL_MASK, NEXT_TOKEN } from './folder-config.js'
import { logitScoreConfig } from './logit-score.js'
import type { ModelFolder } from './model-folder.js'
import type { FolderModule } from './modules/index.js'
import type { MultiVectorFolder } from './multi-vector/folder.js'
import { pythonText } from './python-text.js'
import type { Place, RouterFolder } from './router/networks.js'
import { savedSettings } from './router/settings.js'
import { endsInAutoEncoder, type SparseFolder } from './sparse-folder.js'
import { wordWeightsConfig } from './word-weights.js'

/** What Python says of the way a transformer is used. */
const TRANSFORMER: { [key: string]: ConfigValue } = {
  transformer_task: 'feature-extraction',
  modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
  module_output_name: 'token_embeddings',
}

/** The modules of a model as Python prints them. */
export function modelText(model: ModelFolder): string {
  const { router } = model
  const lines = router ? routerTexts(router, firstText) : [firstText(model), ...model.modules.map(moduleText)]
  return `SentenceTransformer(\n${numbered(lines, '  ')})`
}

function numbered(lines: readonly string[], indent: string): string {
  return lines.map((text, i) => `${indent}(${i}): ${text}\n`).join('')
}

function moduleText({ type, shown }: FolderModule): string {
  return `${type}(${pythonText(shown)})`
}

function routerTexts(
  { settings, networks, layout }: RouterFolder,
  firstText: (first: FirstModule) => string,
): string[] {
  const textOf = ({ network, module }: Place) => {
    const own = networks[network]!
    return module === -1 ? firstText(own) : moduleText(own.modules[module]!)
  }
  const { defaultRoute } = settings
  const rules = savedSettings(settings).route_mappings as Record<string, string>
  const facts = [
    ...(defaultRoute === null ? [] : [`default_route=${pythonText(defaultRoute)}`]),
    ...(Object.keys(rules).length === 0
      ? []
      : [
          `route_mappings={${Object.entries(rules)
            .map(([key, route]) => `${key}: ${pythonText(route)}`)
            .join(', ')}}`,
        ]),
  ]
  const routes = layout.routes.map(({ name, modules }) => {
    return `      (${name}): Sequential(\n${numbered(modules.map(textOf), '        ')}      )\n`
  })
  const head = facts.length === 0 ? '' : `    ${facts.join(', ')}\n`
  const text = `Router(\n${head}    (sub_modules): ModuleDict(\n${routes.join('')}    )\n  )`
  return [...layout.before.map(textOf), text, ...layout.after.map(textOf)]
}

/** The modules of a model with a vector for each token as Python prints them. */
export function multiVectorText(folder: MultiVectorFolder): string {
  const { queryLength: query_length, documentLength: document_length, queryExpansion } = folder
  const settings = {
    ...(query_length !== null && { query_length }),
    ...(document_length !== null && { document_length }),
    ...(queryExpansion !== null && { query_expansion: { ...queryExpansion } }),
  }
  const others = folder.modules.map(({ type, shown }) => `${type}(${pythonText(shown, false)})`)
  return `MultiVectorEncoder(\n${numbered([firstText(folder, settings), ...others], '  ')})`
}

/** The first module. @param more settings of its own kind of models */
function firstText(
  { first, architecture, config, description }: FirstModule,
  more: { [key: string]: ConfigValue } = {},
): string {
  const { classifier, languageModel } = description
  const named = Array.isArray(config.architectures) ? config.architectures[0] : undefined
  const className = (classifier ?? languageModel)?.className ?? named
  const model = typeof className === 'string' ? className.replace(/For\w+$/, 'Model') : architecture
  const settings = first === 'StaticEmbedding' ? {} : { ...TRANSFORMER, ...more, architecture: model }
  return `${first}(${pythonText(settings)})`
}

/** The modules of a sparse encoder as Python prints them. */
export function sparseText(model: SparseFolder): string {
  const { router } = model
  const lines = router
    ? routerTexts(router, sparseFirstText)
    : [(endsInAutoEncoder(model.modules) ? firstText : sparseFirstText)(model), ...model.modules.map(moduleText)]
  return `SparseEncoder(\n${numbered(lines, '  ')})`
}

function sparseFirstText(first: FirstModule): string {
  if (first.first === 'SparseStaticEmbedding') {
    const config = first.tokenizerFiles.get('tokenizer_config.json')
    const { tokenizer_class = 'TokenizersBackend' } = config ? JSON.parse(new TextDecoder().decode(config)) : {}
    const { vocabulary } = first.description
    return `SparseStaticEmbedding(${pythonText(wordWeightsConfig(first))}, dim=${vocabulary}, tokenizer=${tokenizer_class})`
  }
  const settings = {
    transformer_task: FILL_MASK.task,
    modality_config: { text: { method: 'forward', method_output_name: 'logits' } },
    module_output_name: FILL_MASK.output,
    architecture: first.description.languageModel!.className,
  }
  return `${first.first}(${pythonText(settings)})`
}

/** The modules of a cross-encoder as Python prints them. */
export function crossEncoderText({ classifier, logitScore, chat }: CrossEncoderFolder): string {
  const usage = logitScore ? NEXT_TOKEN : CLASSIFICATION
  const logits = { method: 'forward', method_output_name: 'logits' }
  const settings = {
    transformer_task: usage.task,
    modality_config: { text: logits, ...(chat && { message: { ...logits, format: chat.format } }) },
    module_output_name: usage.output,
    architecture: classifier.className,
  }
  const score = logitScore ? `  (1): LogitScore(${pythonText(logitScoreConfig(logitScore) as ConfigValue)})\n` : ''
  return `CrossEncoder(\n  (0): Transformer(${pythonText(settings)})\n${score})`
}
