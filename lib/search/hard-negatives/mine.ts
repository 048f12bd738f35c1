import { Dataset } from '../../data/dataset.js'
import { TimeSlice } from '../../data/time-slice.js'
import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { type Embeddings, embeddings } from '../../models/embeddings.js'
import { pairwiseSimilarity } from '../../models/similarity.js'
import { loadAddon } from '../../native/load.js'
import type { Metric } from '../../native/types.js'
import { type Block, type SearchEngine, searchBlocks } from '../blocks.js'
import { embedTexts, type MiningModel } from './embed.js'
import { askJudge, firstJudged } from './judge.js'
import { checkMining, type MineHardNegativesOptions, type MiningPlan, type PairScorer, rangeMaxOf } from './options.js'
import { type Mined, type MinedColumns, toColumns } from './output.js'
import { type Pairs, readPairs } from './pairs.js'
import { scoreTable, shortages } from './report.js'
import { NegativeSelector } from './select.js'
import { miningStatistics } from './statistics.js'
import { addWritten, writtenBlock } from './written.js'

/** Pairs that a cross-encoder gets at once. */
const SCORED_PAIRS = 4096

/**
 * Adds hard negatives to pairs of anchor and positive: texts that the model finds close to an anchor although they are not its
 * positives. The positives of an anchor are those of all its rows. Repeated pairs count once.
 *
 * Candidates are the best texts by the model's similarity, or by `crossEncoder`. Positives are refused, and so are candidates
 * beyond the margins and bounds; then a `judge` is asked. Of the others, `rangeMin` are skipped and `numNegatives` are taken. The result is in the order of
 * the first row of each anchor.
 *
 * ```ts
 * const triplets = await util.mineHardNegatives(pairs, model, { relativeMargin: 0.05, numNegatives: 5 })
 * ```
 * Paper: https://arxiv.org/abs/2407.15831 (NV-Retriever: TopK-PercPos is `relativeMargin: 0.05`).
 * Source: sentence-transformers `util.mine_hard_negatives`.
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED (FAISS), ERR_INVALID_DATA,
 * ERR_INVALID_FILE (cache), ERR_ABORTED
 */
export async function mineHardNegatives(
  dataset: Dataset,
  model: MiningModel,
  options: MineHardNegativesOptions = {},
): Promise<Dataset> {
  const { columns, names } = await mineNegativesWith(loadAddon, dataset, model, options)
  return Dataset.fromColumns(columns, { columns: names })
}

/** @internal The columns of `mineHardNegatives`'s dataset, with another engine, for tests. */
export async function mineNegativesWith(
  addon: () => SearchEngine,
  dataset: Dataset,
  model: MiningModel,
  options: MineHardNegativesOptions,
): Promise<MinedColumns> {
  if (!(dataset instanceof Dataset)) throw invalidArgument('dataset', 'a Dataset', dataset)
  if (typeof model?.encodeQuery !== 'function') throw invalidArgument('model', 'a SentenceTransformer', model)
  const plan = checkMining(options)
  // Read once, because a change while this runs is for later calls.
  const metric = model.similarityFnName
  const slice = new TimeSlice()
  const say = speaker(plan)
  const pairs = await readPairs(dataset, plan, slice)
  const rangeMax = rangeMaxOf(plan, pairs.maxPositives)
  if (plan.rangeMax === undefined) say(`Setting rangeMax to ${rangeMax} based on the provided parameters.`)
  if (pairs.queries.length < pairs.rows) {
    say(`Found ${pairs.queries.length} unique queries out of ${pairs.rows} total queries.`)
    say(`Found an average of ${(pairs.rows / pairs.queries.length).toFixed(3)} positives per query.`)
  }
  for (const asked of [plan.judge, plan.writer]) await asked?.open?.()
  const written = plan.writer && (await addWritten(plan.writer, pairs, plan))
  const corpus = await embedTexts(model, 'corpus', pairs.corpus, plan, slice, say)
  const queries = await embedTexts(model, 'query', pairs.queries, plan, slice, say)

  const mined = await search(addon, { pairs, plan, metric, queries, corpus, written, rangeMax, slice })
  say('Negative candidates mined, preparing dataset...')
  const result = await toColumns(pairs, mined, plan, slice)
  plan.onStatistics?.(miningStatistics(pairs, mined, mined.skipped, result))
  if (plan.verbose !== false) {
    const positives = mined.positiveScores.flat()
    const { negativeScores, differences, possible } = result
    for (const line of await scoreTable(positives, negativeScores, differences, slice)) say(line)
    const rows = result.columns[pairs.anchorColumn]!.length
    for (const line of shortages(mined.skipped, rows, possible, plan)) say(line)
  }
  return result
}

interface Search {
  pairs: Pairs
  plan: MiningPlan
  metric: Metric
  queries: Embeddings
  corpus: Embeddings
  /** Rows of the corpus that were written for each query, in place of a search. */
  written: readonly (readonly number[])[] | undefined
  rangeMax: number
  slice: TimeSlice
}

type Found = Mined & { skipped: NegativeSelector['skipped'] }

async function search(addon: () => SearchEngine, request: Search): Promise<Found> {
  const { pairs, plan, metric, queries, corpus, written, rangeMax, slice } = request
  const width = rangeMax + pairs.maxPositives
  const selector = new NegativeSelector(plan, rangeMax, width)
  const negatives: number[][] = []
  const negativeScores: number[][] = []
  const positiveScores =
    plan.crossEncoder === undefined ? await scorePositives(request) : await rescorePositives(plan.crossEncoder, request)
  const k = Math.min(width, pairs.corpus.length)
  /** Leaves of the queries from `first` on what the judge leaves, the best first. */
  const judgeBlock = async (first: number) => {
    const { judge, signal } = plan
    if (judge === undefined) return
    const lists = negatives.slice(first)
    const { kept, answers } = await firstJudged(lists, plan.numNegatives, (asked) => {
      const texts = asked.map(([list, row]) => [pairs.queries[first + list]!, pairs.corpus[row]!] as const)
      return askJudge(judge, texts, signal ? { signal } : {})
    })
    selector.judged(answers)
    for (const [list, positions] of kept.entries()) {
      const scores = negativeScores[first + list]!
      positions.sort((a, b) => scores[b]! - scores[a]! || a - b)
      negatives[first + list] = positions.map((position) => lists[list]![position]!)
      negativeScores[first + list] = positions.map((position) => scores[position]!)
    }
  }
  // A limited number of rows, so that a cross-encoder does not get too many pairs at once.
  const rowsPerJob = plan.crossEncoder === undefined ? 5000 : Math.max(1, Math.floor(SCORED_PAIRS / k))
  const names = { queries: 'the embeddings of the queries', corpus: 'the embeddings of the corpus' }
  const options = { k, metric, rowsPerJob, signal: plan.signal, names }
  const blocks = written
    ? [writtenBlock(written, (query, rows) => similarities(request, query, rows))]
    : searchBlocks(addon, queries, corpus, options)
  for await (const block of blocks) {
    const { k } = block
    const scores = plan.crossEncoder === undefined ? block.scores : await rescore(plan.crossEncoder, block, request)
    for (let row = 0; row < block.rows; row++) {
      const query = block.first + row
      const found = block.indices.subarray(row * k, (row + 1) * k)
      const own = scores.subarray(row * k, (row + 1) * k)
      const answers = pairs.positives[query]!
      const lowest = Math.min(...positiveScores[query]!)
      const positions = selector.select(own, (position) => answers.includes(found[position]!), lowest)
      negatives.push(positions.map((position) => found[position]!))
      negativeScores.push(positions.map((position) => own[position]!))
      await slice.yield()
    }
    await judgeBlock(block.first)
  }
  return { negatives, negativeScores, positiveScores, skipped: selector.skipped }
}

/** Similarity of every query with its positives. */
async function scorePositives(request: Search): Promise<number[][]> {
  const { pairs, slice } = request
  const scores: number[][] = []
  for (let query = 0; query < pairs.positives.length; query++) {
    scores.push(similarities(request, query, pairs.positives[query]!))
    if (slice.isOver) await slice.yield()
  }
  return scores
}

/** Similarity of a query with rows of the corpus. */
function similarities({ metric, queries, corpus }: Search, query: number, rows: readonly number[]): number[] {
  const dim = queries.shape[1]
  const row = ({ data }: Embeddings, i: number) => embeddings(data.subarray(i * dim, (i + 1) * dim), 1, dim)
  const own = row(queries, query)
  return rows.map((text) => pairwiseSimilarity(metric, own, row(corpus, text))[0]!)
}

async function rescorePositives(scorer: PairScorer, request: Search): Promise<number[][]> {
  const { pairs } = request
  const scores: number[][] = pairs.positives.map(() => [])
  let [chunk, owners]: [[string, string][], number[]] = [[], []]
  for (let query = 0; query < pairs.queries.length; query++) {
    for (const text of pairs.positives[query]!) {
      chunk.push([pairs.queries[query]!, pairs.corpus[text]!])
      owners.push(query)
    }
    if (chunk.length < SCORED_PAIRS && query + 1 < pairs.queries.length) continue
    const found = await predict(scorer, chunk, request)
    found.forEach((score, i) => {
      scores[owners[i]!]!.push(score)
    })
    chunk = []
    owners = []
  }
  return scores
}

async function rescore(scorer: PairScorer, block: Block, request: Search): Promise<Float32Array> {
  const { first, indices, k, scores } = block
  const { queries, corpus } = request.pairs
  const own = Float32Array.from(scores)
  // Places without a candidate keep the lowest score.
  const places = [...own.keys()].filter((place) => own[place] !== Number.NEGATIVE_INFINITY)
  const pairs = places.map((place): [string, string] => [
    queries[first + Math.floor(place / k)]!,
    corpus[indices[place]!]!,
  ])
  for (let start = 0; start < pairs.length; start += SCORED_PAIRS) {
    const found = await predict(scorer, pairs.slice(start, start + SCORED_PAIRS), request)
    found.forEach((score, i) => {
      own[places[start + i]!] = score
    })
  }
  return own
}

async function predict(scorer: PairScorer, chunk: [string, string][], { plan }: Search): Promise<Float32Array> {
  const { batchSize, signal } = plan
  if (signal?.aborted) throw new SentenceTorchError('ERR_ABORTED', 'The mining was aborted', { cause: signal.reason })
  const predicted = await scorer.predict(chunk, { batchSize, ...(signal ? { signal } : {}) })
  const scores = predicted !== null && typeof predicted === 'object' && 'data' in predicted ? predicted.data : predicted
  if (scores?.length !== chunk.length || (chunk.length > 0 && typeof scores[0] !== 'number')) {
    throw invalidArgument(
      'the scores of crossEncoder.predict()',
      `one number for each of ${chunk.length} pairs`,
      scores,
    )
  }
  const own = Float32Array.from(scores)
  const wrong = own.findIndex(Number.isNaN)
  if (wrong === -1) return own
  const pair = chunk[wrong]!.map(describe).join(', ')
  throw new SentenceTorchError('ERR_INVALID_DATA', `Expected a number as score of (${pair}), crossEncoder gave NaN`)
}

function speaker({ verbose }: MiningPlan): (line: string) => void {
  if (verbose === false) return () => {}
  const output = verbose === true ? process.stdout : verbose
  return (line) => void output.write(`${line}\n`)
}
