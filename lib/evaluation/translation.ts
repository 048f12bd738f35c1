import { checkOptions, checkType, ownCopy } from '../options.js'
import { hitsOf } from '../search/hits.js'
import type { HitLists } from '../search/top-hits.js'
import {
  COMMON_OPTIONS,
  type CommonOptions,
  checkColumns,
  checkCommon,
  denseKind,
  type EvaluatorKind,
  named,
  suffix,
} from './common.js'
import { pythonFloat } from './csv.js'
import { appendRow } from './csv-row.js'
import { embedRows } from './embed.js'
import type { EvaluatedModel, EvaluationContext, EvaluationResult } from './evaluator.js'
import { countRows, type Rows, similaritiesOfPairs } from './pair-similarities.js'
import { SentenceEvaluator } from './sentence-evaluator.js'

/** `batchSize` is 16 unless given; the CSV file is `translation_evaluation_{name}_results.csv`. */
export interface TranslationEvaluatorOptions extends CommonOptions {
  sourceSentences: readonly string[]
  /** `targetSentences[i]` translates `sourceSentences[i]`. */
  targetSentences: readonly string[]
  /** Print to stdout every source that is closer to another target text, with the five closest. Default false. */
  printWrongMatches?: boolean
}

/**
 * How often the nearest translation of a sentence, by cosine, is its own, in both directions. Texts are compared, so a
 * translation that several sentences share is right for each. Of equal cosines the first counts.
 *
 * Metrics: `src2trg_accuracy`, `trg2src_accuracy`, `mean_accuracy`, the primary one.
 * Source: sentence-transformers `TranslationEvaluator`.
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_INVALID_DATA (lengths, texts)
 */
export class TranslationEvaluator extends SentenceEvaluator {
  override readonly name: string
  readonly #options: TranslationEvaluatorOptions

  constructor(options: TranslationEvaluatorOptions, kind: EvaluatorKind = denseKind('TranslationEvaluator')) {
    super()
    const { where } = kind
    const names = ['sourceSentences', 'targetSentences', 'printWrongMatches']
    checkOptions(where, options, [...names, ...COMMON_OPTIONS])
    const { sourceSentences, targetSentences } = options
    checkColumns(where, { sourceSentences, targetSentences }, ['sourceSentences', 'targetSentences'])
    checkCommon(where, options)
    checkType(`${where} printWrongMatches`, options.printWrongMatches, 'boolean')
    this.name = options.name ?? ''
    this.#options = { batchSize: 16, ...ownCopy(options) }
  }

  async evaluate(model: EvaluatedModel, context: EvaluationContext = {}): Promise<EvaluationResult> {
    const { sourceSentences, targetSentences, printWrongMatches = false, writeCsv = true } = this.#options
    const sources = await embedRows(model, 'encode', sourceSentences, this.#options, context)
    const targets = await embedRows(model, 'encode', targetSentences, this.#options, context)
    const forward = await nearest(sources, targets, printWrongMatches ? 5 : 1, context)
    if (printWrongMatches) await this.#print(forward, sources, targets)
    const there = accuracy(forward, targetSentences)
    const back = accuracy(await nearest(targets, sources, 1, context), sourceSentences)
    if (context.outputPath !== undefined && writeCsv) {
      await appendRow(
        context,
        `translation_evaluation${suffix(this.name)}_results.csv`,
        ['src2trg', 'trg2src'],
        [pythonFloat(there), pythonFloat(back)],
      )
    }
    const metrics = { src2trg_accuracy: there, trg2src_accuracy: back, mean_accuracy: (there + back) / 2 }
    return named(this.name, metrics, 'mean_accuracy')
  }

  async #print({ k, documents, scores }: HitLists, sources: Rows, targets: Rows): Promise<void> {
    const { sourceSentences, targetSentences } = this.#options
    const own = await similaritiesOfPairs('cosine', sources, targets)
    for (let i = 0; i < own.length; i++) {
      const best = documents[i * k]!
      if (targetSentences[best] === targetSentences[i]) continue
      const score = (value: number) => `(Score: ${value.toFixed(4)})`
      console.log(`\nIncorrect  : Source ${i} is most similar to target ${best} instead of target ${i}`)
      console.log(`Source     : ${sourceSentences[i]}`)
      console.log(`Pred Target: ${targetSentences[best]} ${score(scores[i * k]!)}`)
      console.log(`True Target: ${targetSentences[i]} ${score(own[i]!)}`)
      for (let j = i * k; j < (i + 1) * k; j++) {
        console.log(`\t ${documents[j]} ${score(scores[j]!)} ${targetSentences[documents[j]!]}`)
      }
    }
  }
}

async function nearest(queries: Rows, corpus: Rows, k: number, { signal }: EvaluationContext): Promise<HitLists> {
  const hits = hitsOf(queries, 'cosine', Math.min(k, countRows(corpus)))
  await hits.add(corpus, 0, signal)
  return hits
}

/** Share of rows whose nearest text equals the row's own. */
function accuracy({ documents, k }: HitLists, texts: readonly string[]): number {
  const right = texts.filter((text, i) => texts[documents[i * k]!] === text)
  return right.length / texts.length
}
