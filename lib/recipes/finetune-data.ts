/** What `finetune` makes of its options before anything is written: rows, losses, what measures the model. */
import type { Dataset } from '../data/dataset.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { resolveModel } from '../models/hub.js'
import { type ModelType, modelTypeOf } from '../models/model-type.js'
import type { FinetuneOptions } from './finetune-options.js'
import { holdOut } from './held-out.js'
import { isLoss, lossName } from './make-loss.js'
import { MEASURED, type MeasuredRole } from './metrics.js'
import type { ModelKind, RecipeEvaluator } from './model-kind.js'
import { isOneDataset, isOneLoss, loadNamed, type NamedLoss, type NamedRows } from './named-data.js'
import { isEvaluator, type RecipeContext } from './recipe.js'
import { dividedLabels, scaleOf } from './scale.js'
import type { HeldOutRows } from './search/dev-source.js'
import { checkSearchArguments } from './search/find-settings.js'
import type { LossSuggestion } from './suggest-loss.js'
import { classesOf } from './suggest-pair-loss.js'

/** @throws ERR_INVALID_ARGUMENT for a cross-encoder that nobody asked for: as a model of embeddings it would start from next to nothing */
export async function typeOf({ model, modelType }: FinetuneOptions, { signal }: RecipeContext): Promise<ModelType> {
  if (modelType !== undefined) return modelType
  const { path } = await resolveModel(model, { signal })
  if ((await modelTypeOf(path)) === 'embedding') return 'embedding'
  const message =
    `${model} is a cross-encoder: modelType cross-encoder trains it as one, modelType embedding takes its transformer for a model ` +
    'of embeddings'
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** @throws ERR_INVALID_ARGUMENT for what a search does not take */
export function checkSearch({ train, eval: evalRows, loss, args = {} }: FinetuneOptions): void {
  if (!isOneDataset(train)) throw invalidArgument('finetune train', 'one data set, because of budget,', train)
  if (evalRows !== undefined) throw invalidArgument('finetune eval', 'nothing beside budget', evalRows)
  const isNamed = loss === undefined || (isOneLoss(loss) && !isLoss(loss))
  if (!isNamed) throw invalidArgument('finetune loss', 'one loss by its name, because of budget,', loss)
  checkSearchArguments(args)
}

export type PrepareOptions = Pick<FinetuneOptions, 'train' | 'eval' | 'loss' | 'numLabels' | MeasuredRole> & {
  holdOut: number
  seed: number
  budget?: string | number | undefined
}

export interface Prepared {
  train: NamedRows[]
  eval: NamedRows[]
  loss: NamedLoss
  /** What the columns are for; absent where a loss is named. */
  suggestion?: LossSuggestion
  heldOut?: HeldOutRows
  numLabels: number | undefined
  evaluators: Partial<Record<MeasuredRole, RecipeEvaluator>>
  notes: string[]
}

/** Reads all data before anything is written. */
export async function prepare(options: PrepareOptions, kind: ModelKind, context: RecipeContext): Promise<Prepared> {
  const { seed, holdOut: share } = options
  const train = await loadNamed(options.train, 'train', context.signal)
  const evalRows = options.eval === undefined ? [] : await loadNamed(options.eval, 'eval', context.signal)
  const isSearch = options.budget !== undefined
  const notes: string[] = []
  const scale = isSearch ? scaleOf(train[0]!.rows, train[0]!.source) : undefined
  if (scale !== undefined) {
    train[0]!.rows = dividedLabels(train[0]!.rows, scale)
    notes.push(`Scores were divided by ${scale}, so that every loss can be tried.`)
  }
  const [first] = train as [NamedRows]
  const needsKind = options.loss === undefined || share > 0 || isSearch
  if (needsKind && train.length > 1) {
    const message = 'finetune: several data sets need a loss by name, and dev or test in place of holdOut'
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const suggestion = needsKind ? kind.suggestLoss(first.rows, first.source) : undefined
  const loss = options.loss ?? suggestion!.loss
  if (options.loss === undefined) context.log?.(`${suggestion!.seen}: ${lossName(suggestion!.loss)}`)
  const evaluators = await givenEvaluators(options, kind, context)
  const { rows: all } = first
  const held = share > 0 ? await divide(train, suggestion!, { share, seed }, kind, evaluators) : undefined
  if (held) notes.push(held.note)
  if (isSearch && evaluators.dev === undefined) {
    const message = 'finetune: budget needs dev, or holdOut, on which trials are compared'
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const needsClasses = options.numLabels === undefined && kind.type === 'cross-encoder' && isCrossEntropy(loss)
  const classes = () => Math.max(...train.map(({ rows, source }) => classesOf(rows, source)))
  const numLabels = needsClasses ? classes() : options.numLabels
  const heldOut = held && { dev: held.dev, all, kind: suggestion!.kind }
  return {
    ...{ train, eval: evalRows, loss, numLabels, evaluators, notes },
    ...(suggestion && { suggestion }),
    ...(heldOut && { heldOut }),
  }
}

async function givenEvaluators(
  options: PrepareOptions,
  kind: ModelKind,
  { signal }: RecipeContext,
): Promise<Prepared['evaluators']> {
  const evaluators: Prepared['evaluators'] = {}
  for (const role of MEASURED) {
    const given = options[role]
    if (given === undefined) continue
    evaluators[role] = isEvaluator<RecipeEvaluator>(given)
      ? given
      : await kind.loadEvaluator({ name: role, ...given }, { where: role, signal })
  }
  return evaluators
}

/** Holds rows of the first data set out, and adds what measures a model on them. @returns the rows of dev, and a note for the result */
async function divide(
  train: NamedRows[],
  suggestion: LossSuggestion,
  { share, seed }: { share: number; seed: number },
  kind: ModelKind,
  evaluators: Prepared['evaluators'],
): Promise<{ dev: Dataset; note: string }> {
  const [first] = train as [NamedRows]
  const { rows: all } = first
  const parts = await holdOut(all, suggestion.kind, share, seed)
  train[0] = { ...first, rows: parts.train }
  for (const role of ['dev', 'test'] as const) {
    evaluators[role] ??= kind.evaluatorOfRows(parts[role], suggestion.kind, role, seed, all)
    if (evaluators[role] === undefined) delete evaluators[role]
  }
  const unmeasured = evaluators.test ? '' : '; nothing measures pairs of classes on them'
  const note =
    `${parts.dev.length + parts.test.length} of ${all.length} rows were held out: ${parts.dev.length} for dev, ` +
    `${parts.test.length} for test${unmeasured}.`
  return { dev: parts.dev, note }
}

function isCrossEntropy(loss: NamedLoss): boolean {
  return loss === 'CrossEntropyLoss' || (loss as { name?: unknown }).name === 'CrossEntropyLoss'
}
