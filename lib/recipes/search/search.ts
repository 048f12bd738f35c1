/** The search for settings within a time: brackets of successive halving, every decision and training a stage that is kept. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import { writeFileAtomic } from '../../io/atomic.js'
import { lossName } from '../make-loss.js'
import type { RecipeEvaluator, RecipeModel } from '../model-kind.js'
import { loadTrained } from '../stage-training.js'
import type { Stage, StageInputs } from '../stages.js'
import { durationText } from './duration.js'
import { measurePace, type Pace } from './pace.js'
import type { SearchParts } from './parts.js'
import { planBracket, survivors, trainingSeconds } from './plan.js'
import { drawTrials, type TrialSettings, withFirst } from './space.js'
import { readTrial, rowsPerStep, runTrial, stoppedSeconds, type TrialRecord } from './trial.js'

/** Trials at most: of more, dev rather chooses luck. */
const MOST_TRIALS = 100
/** Longer trainings save checkpoints. */
const LONG_SECONDS = 60
/** How much longer than planned a training may take, and in all, as shares of its time and of the budget. */
const MOST_DELAY = 1.25
const MOST_OVERRUN = 0.05

export interface Trial {
  number: number
  settings: TrialSettings
  /** One for each rung that it reached. */
  records: TrialRecord[]
}

export interface Found {
  best: Trial
  model: RecipeModel
  trials: Trial[]
  /** How many times as fast as float32 the trainings were in bfloat16; absent: they were in float32. */
  bf16?: number | undefined
}

/**
 * @throws ERR_INVALID_ARGUMENT for a budget in which nothing can be trained; ERR_INVALID_DATA where every training failed
 */
export async function search(parts: SearchParts): Promise<Found> {
  const one = new Search(parts)
  return one.run()
}

class Search {
  #parts: SearchParts
  readonly #trials: Trial[] = []
  #best: { trial: Trial; score: number; folder: string; model: RecipeModel | undefined } | undefined
  /** Seconds of trainings of earlier runs. */
  #earlier = 0
  #pace!: Pace
  #sample!: RecipeEvaluator

  constructor(parts: SearchParts) {
    this.#parts = parts
  }

  async run(): Promise<Found> {
    const { dev, budget, space, inputs } = this.#parts
    const given = { ...inputs, space, budget, first: this.#parts.first }
    const {
      value: pace,
      key,
      isReused,
    } = await this.#decision('pace', given, async () => {
      if (this.#left() <= 0) throw this.#nothing()
      return measurePace(this.#parts)
    })
    this.#pace = pace
    if (pace.bf16 !== undefined) this.#parts = { ...this.#parts, args: { ...this.#parts.args, bf16: true } }
    if (isReused) this.#earlier += pace.seconds
    this.#sample = pace.devRows === undefined ? dev.all : await dev.sample!(pace.devRows)
    for (let bracket = 0; this.#trials.length < MOST_TRIALS; bracket++) if (!(await this.#bracket(bracket, key))) break
    if (this.#best === undefined) throw this.#nothing()
    const { trial, model, folder } = this.#best
    const kept = model ?? (await loadTrained(this.#parts.run, folder, this.#parts.kind))
    return { best: trial, model: kept, trials: this.#trials, bf16: pace.bf16 }
  }

  /** @returns whether it was done */
  async #bracket(bracket: number, pace: string): Promise<boolean> {
    const { first, space, run } = this.#parts
    const { perTraining, rate } = this.#pace
    const { value: plan, key } = await this.#decision(`bracket-${bracket + 1}`, { pace, bracket }, async () => {
      const perStep = rowsPerStep(this.#parts, first) / rate
      const found = planBracket(this.#left(), { perTraining: perTraining.sample, perStep })
      // What is left after the first bracket is not worth a single trial.
      if (found === undefined || (bracket > 0 && found.trials === 1)) return { rungs: 0, settings: [] }
      const drawn = drawTrials(space, found.trials, run.seed, bracket)
      return { rungs: found.rungs, settings: bracket === 0 ? withFirst(first, drawn) : drawn }
    })
    const { rungs, settings } = plan as { rungs: number; settings: TrialSettings[] }
    if (settings.length === 0) return false
    let alive: Trial[] = settings.map((one, i) => ({ number: this.#trials.length + i + 1, settings: one, records: [] }))
    this.#trials.push(...alive)
    run.log(`bracket ${bracket + 1}: ${alive.length} trials, ${rungs} rungs, ${durationText(this.#left())} left`)
    let [before, spare]: [string, Trial[]] = [key, []]
    for (let rung = 0; rung < rungs && alive.length > 0; rung++) {
      before = await this.#rung({ rung, rungs, before }, alive)
      const scoreOf = ({ records }: Trial) => records[rung]?.score
      // Where none of the last rung has a score, the next ones of the rung before have their turn.
      while (rung === rungs - 1 && alive.every((trial) => scoreOf(trial) === undefined) && spare.length > 0) {
        alive = spare.splice(0, 1)
        before = await this.#rung({ rung, rungs, before }, alive)
      }
      const scored = alive.filter((trial) => scoreOf(trial) !== undefined)
      scored.sort((a, b) => scoreOf(b)! - scoreOf(a)! || a.number - b.number)
      spare = scored.splice(survivors(alive.length))
      alive = scored
    }
    return true
  }

  /** @returns the key of its stages */
  async #rung(
    { rung, rungs, before }: { rung: number; rungs: number; before: string },
    alive: Trial[],
  ): Promise<string> {
    const { run, dev, train, budget } = this.#parts
    const { perTraining, rate } = this.#pace
    const isLast = rung === rungs - 1
    const names = alive.map(({ number, records }) => [number, records.at(-1)?.score ?? null])
    const { value: plans, key } = await this.#decision(`rung-${rung + 1}`, { before, rung, names }, async () => {
      const cost = isLast ? perTraining.all : perTraining.sample
      const seconds = Math.max(0, trainingSeconds(this.#left(), rungs, rung, alive.length, cost))
      return alive.map(({ settings, records }) => {
        const { numTrainEpochs: epochs = 1 } = settings.args
        const rows = rowsPerStep(this.#parts, settings)
        const fitting = Math.floor((seconds * (records.at(-1)?.rate || rate)) / rows)
        return { seconds, steps: Math.max(1, Math.min(fitting, Math.ceil((epochs * train.length) / rows))) }
      })
    })
    for (const [i, trial] of alive.entries()) {
      const { seconds, steps } = (plans as { seconds: number; steps: number }[])[i]!
      const name = `trial-${trial.number}-rung-${rung + 1}`
      let model: RecipeModel | undefined
      const stage = await run.stages.run(name, { key, settings: trial.settings, steps, isLast }, async (work) => {
        this.#earlier += await stoppedSeconds(work.folder)
        // The last rung has nobody behind it who could make up for a delay.
        const until = isLast ? Math.max(1, this.#left() + MOST_OVERRUN * budget) : Number.POSITIVE_INFINITY
        const most = Math.min(seconds * MOST_DELAY + 1, until)
        const measured = isLast || this.#pace.devRows === undefined ? { evaluator: dev.all } : this.#sampled()
        const plan = { settings: trial.settings, steps, most, saves: seconds > LONG_SECONDS }
        const isBest = (score: number) => isLast && score > (this.#best?.score ?? Number.NEGATIVE_INFINITY)
        model = await runTrial(this.#parts, work, plan, measured, isBest)
      })
      await this.#take(trial, stage, model)
    }
    return key
  }

  #sampled() {
    return { evaluator: this.#sample, rows: this.#pace.devRows! }
  }

  async #take(trial: Trial, { folder, isReused }: Stage, model: RecipeModel | undefined): Promise<void> {
    const record = await readTrial(folder)
    if (isReused) this.#earlier += record.seconds
    trial.records.push(record)
    const { score, steps, error } = record
    const told = score === undefined ? `failed: ${error}` : score.toFixed(4)
    this.#parts.run.log(`trial ${trial.number}: ${settingsText(trial.settings)}, ${steps} steps: ${told}`)
    if (!record.isKept) return
    await this.#best?.model?.dispose()
    this.#best = { trial, score: score!, folder, model }
  }

  #left(): number {
    return this.#parts.left() - this.#earlier
  }

  /** A decision that depends on the clock: what an earlier run decided stands. */
  async #decision<T>(
    name: string,
    inputs: StageInputs,
    decide: () => Promise<T>,
  ): Promise<{ value: T; key: string; isReused: boolean }> {
    const { run } = this.#parts
    const { folder, key, isReused } = await run.stages.run(name, inputs, async (stage) => {
      await writeFileAtomic(join(stage.folder, 'plan.json'), `${JSON.stringify(await decide(), null, 2)}\n`)
    })
    const text = await readFile(join(folder, 'plan.json'), 'utf8')
    return { value: JSON.parse(text) as T, key: `${key} ${text}`, isReused }
  }

  #nothing(): SentenceTorchError {
    const failed = this.#trials
      .flatMap(({ records }) => records.map(({ error }) => error))
      .find((error) => error !== undefined)
    if (failed !== undefined)
      return new SentenceTorchError('ERR_INVALID_DATA', `Every training of the search failed: ${failed}`)
    const { budget } = this.#parts
    const message =
      `budget: ${durationText(budget)} are too short to train anything beside loading and measuring the model; of them ` +
      `${durationText(Math.max(0, this.#left()))} are left for training`
    return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
}

/** Settings in a line. */
export function settingsText({ loss, args }: TrialSettings): string {
  return [lossName(loss), ...Object.entries(args).map(([key, value]) => `${key} ${String(value)}`)].join(', ')
}
