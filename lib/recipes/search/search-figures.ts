/** A search in the report: every trial in a table, and how losses and rates compare. */
import type { FigureOf } from '../../report/figures.js'
import { lossName } from '../make-loss.js'
import type { Trial } from './search.js'

/** @param metric what dev measures */
export function trialsTable(trials: readonly Trial[], best: Trial, metric: string): FigureOf<'table'> {
  const names = [...new Set(trials.flatMap(({ settings }) => Object.keys(settings.args)))]
  return {
    ...{ kind: 'table', title: 'Trials of the search', section: 'training' },
    caption:
      `One row for each trial, with the last rung that it reached. ${metric} of dev; where rows of dev are named, of a sample of ` +
      'them, and not to be compared with that of all rows.',
    columns: ['trial', 'loss', ...names, 'rungs', 'steps', 'epochs', 'dev', 'rows of dev', 'seconds', ''],
    rows: trials.map((trial) => {
      const { number, settings, records } = trial
      const last = records.at(-1)
      const remark = trial === best ? 'best' : (last?.error ?? (last?.isCut ? 'ended early: its time was over' : ''))
      return [
        ...[number, lossText(trial), ...names.map((name) => cellOf((settings.args as Record<string, unknown>)[name]))],
        ...[records.length, last?.steps ?? null, last?.epochs ?? null, last?.score ?? null],
        ...[
          last?.score === undefined ? null : (last.devRows ?? 'all'),
          sum(records.map(({ seconds }) => seconds)),
          remark,
        ],
      ]
    }),
  }
}

/** All trials of the first rung, which had the same time; undefined where there was but one. */
export function ratesScatter(trials: readonly Trial[], metric: string): FigureOf<'scatter'> | undefined {
  const shown = trials.filter(({ records }) => records[0]?.score !== undefined)
  if (shown.length < 2) return undefined
  const losses = [...new Set(shown.map(lossText))]
  return {
    ...{ kind: 'scatter', title: 'Learning rate and loss, after the first rung', section: 'training' },
    ...{ xTitle: 'learning rate, as a power of 10', yTitle: metric },
    series: losses.map((name) => {
      const own = shown.filter((trial) => lossText(trial) === name)
      return {
        name,
        x: own.map(({ settings }) => Math.log10(settings.args.learningRate!)),
        y: own.map(({ records }) => records[0]!.score!),
        labels: own.map(({ number }) => `trial ${number}`),
      }
    }),
  }
}

const lossText = ({ settings }: Trial) => lossName(settings.loss)

function cellOf(value: unknown): string | number | null {
  return typeof value === 'number' || typeof value === 'string' ? value : value === undefined ? null : String(value)
}

const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0)
