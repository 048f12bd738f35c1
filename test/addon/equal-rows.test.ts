// A score depends on its two rows alone: not on the place of a row, on other rows, on how many are compared at a time, or on who
// compares. Equal scores come by rising number, and a row that is not finite has no place in any order.
import test from 'ava'
import { evaluation, util } from '../../lib/index.js'
import { type Embeddings, embeddings } from '../../lib/models/embeddings.js'
import { mulberry32 } from '../helpers/tiny-model.js'

const METRICS = ['cosine', 'dot', 'euclidean', 'manhattan'] as const

function random(rows: number, width: number, seed: number): Embeddings {
  const next = mulberry32(seed)
  const data = Float32Array.from({ length: rows * width }, () => next() - 0.5)
  return embeddings(data, rows, width)
}

/** The rows with these numbers. */
function take(from: Embeddings, numbers: number[]): Embeddings {
  const width = from.shape[1]
  const data = new Float32Array(numbers.length * width)
  numbers.forEach((number, i) => {
    data.set(from.row(number), i * width)
  })
  return embeddings(data, numbers.length, width)
}

for (const scoreFunction of METRICS) {
  test(`equal rows have equal scores, in whatever parts they are compared: ${scoreFunction}`, async (t) => {
    for (const width of [1, 7, 30, 384]) {
      const one = random(1, width, width)
      for (const rows of [7, 33, 50]) {
        const corpus = take(one, new Array(rows).fill(0))
        for (const queries of [1, 9, 17]) {
          const asked = random(queries, width, queries)
          for (const corpusChunkSize of [1, 2, 5, rows]) {
            const topK = Math.min(3, rows)
            const found = await util.semanticSearch(asked, corpus, { topK, scoreFunction, corpusChunkSize })
            for (const hits of found) {
              t.deepEqual(
                hits.map(({ corpusId }) => corpusId),
                [0, 1, 2].slice(0, topK),
              )
              t.is(new Set(hits.map(({ score }) => score)).size, 1)
            }
          }
        }
      }
    }
  })

  test(`scores are those of the similarity functions, bit by bit: ${scoreFunction}`, async (t) => {
    for (const [queries, rows, width] of [
      [2, 300, 384],
      [9, 700, 53],
      [40, 40, 8],
      [6, 20, 3],
    ] as const) {
      const [asked, corpus] = [random(queries, width, 1), random(rows, width, 2)]
      const matrix = {
        cosine: util.cosSim,
        dot: util.dotScore,
        euclidean: util.euclideanSim,
        manhattan: util.manhattanSim,
      }
      const all = matrix[scoreFunction](asked, corpus)
      const found = await util.semanticSearch(asked, corpus, { topK: 11, scoreFunction })
      found.forEach((hits, query) => {
        const order = Array.from(all.row(query), (score, corpusId) => ({ score, corpusId }))
        order.sort((a, b) => b.score - a.score || a.corpusId - b.corpusId)
        t.deepEqual(hits, order.slice(0, 11))
      })
    }
  })
}

test('what is found does not depend on how many queries, rows and hits are asked for', async (t) => {
  // Every row three times, far apart.
  const rows = take(
    random(200, 48, 3),
    Array.from({ length: 600 }, (_, i) => i % 200),
  )
  const queries = random(30, 48, 4)
  for (const scoreFunction of METRICS) {
    const whole = await util.semanticSearch(queries, rows, { topK: 50, scoreFunction })
    for (const options of [{ topK: 7 }, { topK: 50, corpusChunkSize: 77 }, { topK: 20, queryChunkSize: 5 }]) {
      const found = await util.semanticSearch(queries, rows, { ...options, scoreFunction })
      t.deepEqual(
        found,
        whole.map((hits) => hits.slice(0, options.topK)),
      )
    }
    for (const query of [0, 11, 29]) {
      const [alone] = await util.semanticSearch(queries.row(query), rows, { topK: 50, scoreFunction })
      t.deepEqual(alone, whole[query])
    }
  }
})

test('rows of one direction are a community whatever the batch, and pairs of equal rows come in their order', async (t) => {
  const numbers = Array.from({ length: 90 }, (_, i) => i % 3)
  const rows = take(random(3, 40, 9), numbers)
  const groups = [0, 1, 2].map((group) => numbers.flatMap((number, i) => (number === group ? [i] : [])))
  for (const batchSize of [1, 7, 64, 1024]) {
    t.deepEqual(await util.communityDetection(rows, { threshold: 1, minCommunitySize: 2, batchSize }), groups)
  }
  const expected = groups.flatMap((group) => group.flatMap((i, at) => group.slice(at + 1).map((j) => [i, j])))
  for (const queryChunkSize of [1, 8, 5000]) {
    const pairs = await util.paraphraseMiningEmbeddings(rows, { topK: 29, queryChunkSize })
    const equal = pairs.filter(([score]) => score === 1)
    t.deepEqual(
      equal.map(([, i, j]) => [i, j]).toSorted(([a, b], [c, d]) => a! - c! || b! - d!),
      expected.toSorted(([a, b], [c, d]) => a! - c! || b! - d!),
    )
  }
})

test('accuracy of retrieval among equal documents does not depend on corpusChunkSize', async (t) => {
  const vectors = random(6, 384, 12)
  const encode: evaluation.EvaluatedModel['encode'] = async (texts) => take(vectors, texts.map(Number))
  const model = { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' } as const
  const documents = Array.from({ length: 61 }, (_, i): [string, string] => [String(i).padStart(2, '0'), String(i % 2)])
  const results = new Set<string>()
  for (const corpusChunkSize of [1, 2, 3, 7, 16, 33, 60, 61]) {
    const evaluator = new evaluation.InformationRetrievalEvaluator({
      queries: new Map([2, 3, 4, 5].map((i) => [String(i), String(i)])),
      corpus: new Map(documents),
      // The first of the equal documents alone is right.
      relevantDocs: new Map(['2', '3', '4', '5'].map((i) => [i, new Set(['00', '01'])])),
      corpusChunkSize,
    })
    results.add(JSON.stringify((await evaluator.evaluate(model)).metrics))
  }
  t.is(results.size, 1)
  t.is(JSON.parse([...results][0]!)['cosine_accuracy@1'], 1)
})

for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a row that holds ${value} is refused by its number`, async (t) => {
    const rows = random(40, 9, 5)
    const broken = take(rows, [...Array(40).keys()])
    broken.row(31)[4] = value
    const refused = (where: string, row: number) => ({
      code: 'ERR_INVALID_DATA',
      message: `Expected finite numbers in row ${row} of ${where}, found ${value}`,
    })
    for (const scoreFunction of METRICS) {
      for (const corpusChunkSize of [7, 500_000]) {
        const options = { scoreFunction, corpusChunkSize }
        await t.throwsAsync(util.semanticSearch(rows, broken, options), refused('corpus', 31))
        await t.throwsAsync(util.semanticSearch(broken, rows, options), refused('queries', 31))
        await t.throwsAsync(util.semanticSearch(broken.row(31), rows, options), refused('queries', 0))
      }
      await t.throwsAsync(util.paraphraseMiningEmbeddings(broken, { scoreFunction }), refused('embeddings', 31))
    }
    await t.throwsAsync(util.communityDetection(broken), refused('embeddings', 31))
    await t.throwsAsync(util.communityDetection(broken, { minCommunitySize: 1000 }), refused('embeddings', 31))
  })
}
