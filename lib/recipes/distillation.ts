import { SentenceTorchError } from '../errors.js'
import { signalOf } from '../io/abort.js'
import { DistillKLDivLoss } from '../losses/distill-kl-div.js'
import { EmbedDistillLoss } from '../losses/embed-distill.js'
import type { Loss } from '../losses/loss.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { choice, needed, nullable, option, optionValues, positive, text } from '../options/kinds.js'
import { distillationTable } from './distillation-table.js'
import { modelKey } from './fingerprint.js'
import {
  COMMON,
  type DataOption,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
  severalData,
} from './recipe.js'
import { runRecipe } from './run-recipe.js'
import { loadTrained, stageModel, trainInStage } from './stage-training.js'
import { taughtScores } from './taught-scores.js'
import { taughtVectors } from './taught-vectors.js'

export interface DistillationOptions extends RecipeOptions {
  /** The student; with `keepLayers` what it is made of. */
  model: string
  /** The model to learn from. Default, with `keepLayers`: `model`. */
  teacher?: string
  /** A cross-encoder with one label in place of `teacher`, for the loss `kl`. */
  crossEncoder?: string
  /** Layers of `model` that the student has: their numbers, or how many, evenly spread. Default: all. */
  keepLayers?: number | readonly number[] | null
  /** Texts: sentences, pairs, triplets. For `kl` rows of a query and its candidates. */
  train: DataOption | readonly DataOption[]
  /** Default `mse`. */
  loss?: 'mse' | 'cosine' | 'kl'
  /** What is done where the teacher's embeddings are wider or narrower than the student's. Default `projection`. */
  widths?: 'projection' | 'pca'
  /** What the scores of `kl` are, of a student and of a teacher that embeds. Default `dot`. */
  similarity?: 'dot' | 'cosine'
  /** Divisor of the student's scores before the softmax of `kl`. Default 1. */
  temperature?: number
  /** That of the teacher's scores. Default: `temperature`. */
  teacherTemperature?: number | null
}

const OPTIONS = {
  ...COMMON,
  model: described(COMMON.model, 'The student; with `keepLayers` what it is made of'),
  teacher: described(
    text(undefined, 'a folder or a hub id'),
    'The model to learn from; with `keepLayers` by default `model`',
  ),
  crossEncoder: described(
    text(undefined, 'a folder or a hub id'),
    'A cross-encoder with one label in place of `teacher`, for the loss `kl`',
  ),
  keepLayers: described(
    nullable(
      option<number | readonly number[], undefined>({
        ...{ type: 'number | readonly number[]', default: undefined },
        expected: 'numbers of layers from 0 on, or how many',
        // The model says how many there are.
        fits: (value) =>
          Array.isArray(value)
            ? value.length > 0 && value.every((layer) => Number.isInteger(layer) && layer >= 0)
            : Number.isInteger(value) && (value as number) >= 1,
      }),
    ),
    'Layers of `model` that the student has: their numbers, or how many, evenly spread. Without it all',
  ),
  train: described(
    needed(severalData(undefined)),
    'Texts: sentences, pairs, triplets; for `kl` rows of a query and its candidates',
  ),
  loss: described(
    choice(['mse', 'cosine', 'kl'], 'mse'),
    "The student learns the teacher's embeddings (`mse`), their directions (`cosine`), or how it divides a query among candidates (`kl`)",
  ),
  widths: described(
    choice(['projection', 'pca'], 'projection'),
    "Where the teacher's embeddings have another width: a layer of the loss makes them of the student's, or the teacher's are cut to their principal components",
  ),
  similarity: described(
    choice(['dot', 'cosine'], 'dot'),
    'The scores of `kl`, of a student and of a teacher that embeds',
  ),
  temperature: described(positive(1), "Divisor of the student's scores before the softmax of `kl`"),
  teacherTemperature: described(
    nullable(positive(undefined)),
    "Divisor of the teacher's scores; without it `temperature`",
  ),
} satisfies RecipeTable<DistillationOptions>

/**
 * Distillation: a small model learns to do what a large one does, from texts without labels. The small one is any model, or the large
 * one with some of its layers.
 *
 * Papers: Kim et al. 2023, https://arxiv.org/abs/2301.12005 (embeddings); Lin et al. 2020, https://arxiv.org/abs/2010.11386 (scores).
 */
export async function distillation(options: DistillationOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('distillation', options, OPTIONS)
  const { keepLayers, loss, args } = given
  const teacher = given.teacher ?? (keepLayers !== null && given.crossEncoder === undefined ? given.model : undefined)
  checkTeachers(given, teacher)
  checkIdle(options)
  return runRecipe('distillation', given, context, async (run) => {
    // 1. Data.
    const sets = await run.datasets(given.train)

    // 2. The student as it is: an ordinary folder, also where it is made of layers.
    const own = { model: await modelKey(given.model), keepLayers }
    let start = given.model
    if (keepLayers !== null) {
      const { folder } = await run.stages.run('student', own, async (stage) => {
        const whole = await run.loadModel()
        const part = await run.loadModel(() => whole.withLayers(keepLayers))
        await part.save(stageModel(stage.folder))
        for (const model of [whole, part]) await model.dispose()
      })
      start = stageModel(folder)
    }
    const load = (path: string) => run.loadModel(() => SentenceTransformer.load(path, signalOf(run)))
    const student = await load(start)
    const before = await run.before(student)

    // 3. The teacher: its numbers for all rows, computed once.
    const taught =
      loss === 'kl'
        ? await taughtScores(run, sets, { ...given, teacher })
        : await taughtVectors(run, sets, teacher!, student.embeddingDimension, given)

    // 4. Training.
    const inputs = { ...own, ...taught.key, loss, seed: run.seed, args, similarity: given.similarity }
    const temperatures = { temperature: given.temperature, teacherTemperature: given.teacherTemperature }
    const { folder } = await run.stages.run('training', { ...inputs, ...temperatures }, async (stage) => {
      const model = await load(start)
      await trainInStage(run, stage, model, {
        trainDataset: taught.dataset,
        loss: lossOf(given, taught.projectionDim),
        own: { perDeviceTrainBatchSize: 64, learningRate: 1e-4, warmupSteps: 0.1 },
        args,
      })
      await model.dispose()
    })

    // 5. The student as it has become, beside the teacher.
    const model = await loadTrained(run, folder)
    const after = await run.after(model)
    await distillationTable(run, { texts: taught.texts, before, after, student: model, teacher })
    await student.dispose()
  })
}

type Values = Pick<DistillationOptions, 'loss' | 'similarity' | 'temperature' | 'teacherTemperature' | 'crossEncoder'>

function lossOf(given: Values, projectionDim: number | null): Loss {
  const { loss, similarity, temperature = 1, teacherTemperature = null } = given
  if (loss === 'kl') {
    const similarityFct = similarity === 'cosine' ? 'pairwise_cos_sim' : 'pairwise_dot_score'
    return new DistillKLDivLoss({ similarityFct, temperature, teacherTemperature })
  }
  return new EmbedDistillLoss({ distanceMetric: loss === 'cosine' ? 'cosine' : 'mse', projectionDim })
}

function checkTeachers({ loss, crossEncoder }: Values, teacher: string | undefined): void {
  const refuse = (message: string) => new SentenceTorchError('ERR_INVALID_ARGUMENT', `distillation: ${message}`)
  if (crossEncoder !== undefined && loss !== 'kl') throw refuse('a crossEncoder gives scores, and needs loss: kl')
  if (crossEncoder !== undefined && teacher !== undefined)
    throw refuse('expected a teacher or a crossEncoder, found both')
  if (crossEncoder === undefined && teacher === undefined)
    throw refuse('expected a teacher, or keepLayers, with which the model itself is the teacher, found neither')
}

/** Options that the loss has no use for. */
function checkIdle(options: DistillationOptions): void {
  const isKl = options.loss === 'kl'
  const idle = isKl ? (['widths'] as const) : (['similarity', 'temperature', 'teacherTemperature'] as const)
  const given = idle.find((name) => options[name] !== undefined && options[name] !== null)
  if (given === undefined) return
  const message = `distillation: ${given} has no effect with loss: ${options.loss ?? 'mse'}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

export const RECIPE: Recipe = {
  name: 'distillation',
  summary: 'A large model that is too slow, and texts: a small one, or some of its layers, learns to do the same',
  options: OPTIONS,
  run: distillation,
}
