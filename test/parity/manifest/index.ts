import { training, trainingArguments } from './arguments.js'
import { datasets, readers, samplers } from './data.js'
import { crossEncoderEvaluators, evaluators, otherEvaluators } from './evaluators.js'
import { crossEncoderLosses, losses, otherLosses } from './losses.js'
import { modules } from './modules.js'
import type { Row, Section } from './row.js'
import { utilities } from './utilities.js'

export type { Row, Section } from './row.js'

export const TITLES: Record<Section, string> = {
  losses: 'Losses',
  crossEncoderLosses: 'Losses of cross-encoders',
  sparseLosses: 'Losses of sparse encoders',
  multiVectorLosses: 'Losses of multi-vector models',
  evaluation: 'Evaluators',
  crossEncoderEvaluation: 'Evaluators of cross-encoders',
  sparseEvaluation: 'Evaluators of sparse encoders',
  multiVectorEvaluation: 'Evaluators of multi-vector models',
  samplers: 'Samplers and data',
  datasets: 'Data classes before version 3',
  readers: 'Readers',
  arguments: 'Training arguments',
  training: 'Training and embeddings',
  modules: 'Modules',
  util: 'Utilities',
}

/** Everything of sentence-transformers 6.2.0 that is, or is not, here. A new loss, evaluator, argument or utility gets its row. */
export const manifest: readonly Row[] = [
  ...losses,
  ...crossEncoderLosses,
  ...otherLosses,
  ...evaluators,
  ...crossEncoderEvaluators,
  ...otherEvaluators,
  ...samplers,
  ...datasets,
  ...readers,
  ...trainingArguments,
  ...training,
  ...modules,
  ...utilities,
]
