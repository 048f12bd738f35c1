/** The head of a model card: YAML that the Hugging Face hub reads. */
import { stringify } from 'yaml'
import type { EvaluatorFacts, TrainingFacts } from './facts.js'

export interface CardKind {
  /** `SentenceTransformer`. */
  className: string
  tags: readonly string[]
  /** `sentence-similarity`. */
  pipelineTag: string
}

export function metadataText(kind: CardKind, baseModel: string | undefined, training: TrainingFacts): string {
  const size = training.train.reduce((sum, dataset) => sum + (dataset.size ?? 0), 0)
  const tags = [
    ...kind.tags,
    'generated_from_trainer',
    ...(size > 0 ? [`dataset_size:${size}`] : []),
    ...training.losses.map(({ name }) => `loss:${name}`),
  ]
  const metrics = [...new Set(training.evaluators.flatMap((evaluator) => Object.keys(evaluator.metrics)))]
  const widget = kind.pipelineTag === 'sentence-similarity' ? widgetOf(training.examples) : []
  return stringify(
    {
      tags,
      ...(baseModel !== undefined && { base_model: baseModel }),
      ...(widget.length > 0 && { widget }),
      pipeline_tag: kind.pipelineTag,
      library_name: 'sentence-transformers',
      ...(metrics.length > 0 && {
        metrics,
        'model-index': [{ name: modelName(kind, baseModel), results: training.evaluators.map(resultOf) }],
      }),
    },
    { lineWidth: 0, indentSeq: false },
  ).trimEnd()
}

/** Source: `get_default_model_name`. */
export function modelName({ className }: CardKind, baseModel: string | undefined): string {
  return baseModel === undefined ? className : `${className} based on ${baseModel}`
}

/** What an evaluator measures, in words. Source: `description` of the evaluators. */
export function descriptionOf(className: string): string {
  if (/^(Sparse)?EmbeddingSimilarity/.test(className)) return 'Semantic Similarity'
  if (/^(Sparse)?MSEEvaluator/.test(className)) return 'Knowledge Distillation'
  return className.replace(/Evaluator.*$/, '').replace(/([a-z])([A-Z])/g, '$1 $2')
}

/** `spearman_cosine` is `Spearman Cosine`. Source: `str.title`. */
function titleOf(metric: string): string {
  const words = metric.replaceAll('_', ' ').toLowerCase()
  return words.replace(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase())
}

function resultOf({ className, name, metrics }: EvaluatorFacts): object {
  const task = descriptionOf(className)
  return {
    task: { type: task.toLowerCase().replaceAll(' ', '-'), name: task },
    dataset: { name: name === '' ? 'Unknown' : name.replace(/[_-]/g, ' '), type: name === '' ? 'unknown' : name },
    metrics: Object.entries(metrics)
      .filter(([, value]) => Number.isFinite(value))
      .map(([type, value]) => ({ type, value, name: titleOf(type) })),
  }
}

/** Texts with which the hub shows the model: of up to five rows. Source: `set_widget_examples`. */
function widgetOf(examples: TrainingFacts['examples']): object[] {
  return examples.map(([source, ...sentences]) => ({ source_sentence: source, sentences }))
}
