/** What may say of a candidate that it is no negative, and what may write negatives. */
import { invalidArgument } from '../../errors.js'

export interface AskOptions {
  signal?: AbortSignal
}

interface Asked {
  /** Called before anything is computed: what cannot be asked fails early. */
  open?(): Promise<void>
}

/** Tells answers from negatives: a service, a model, or a person. */
export interface PairJudge extends Asked {
  /** Whether each text answers its query, in the order of the pairs. */
  judge(
    pairs: readonly (readonly [query: string, text: string])[],
    options: AskOptions,
  ): readonly boolean[] | Promise<readonly boolean[]>
}

/** Writes texts that look like answers and are none. */
export interface NegativeWriter extends Asked {
  /** Texts for each pair, in the order of the pairs; they may be fewer than `count`. */
  write(
    pairs: readonly (readonly [query: string, positive: string])[],
    options: AskOptions & { count: number },
  ): readonly (readonly string[])[] | Promise<readonly (readonly string[])[]>
}

/**
 * The first `count` of each list that the judge leaves. It is asked in rounds, about no more than are needed.
 * @param lists corpus rows of each query, in the order in which they are wanted
 * @param ask whether a text answers a query
 * @returns positions in the lists, and how many were answers
 */
export async function firstJudged(
  lists: readonly (readonly number[])[],
  count: number,
  ask: (pairs: readonly (readonly [list: number, row: number])[]) => Promise<readonly boolean[]>,
): Promise<{ kept: number[][]; answers: number }> {
  const kept: number[][] = lists.map(() => [])
  const next = lists.map(() => 0)
  let answers = 0
  for (;;) {
    const asked: [list: number, position: number][] = []
    lists.forEach((list, i) => {
      const end = Math.min(list.length, next[i]! + count - kept[i]!.length)
      for (let position = next[i]!; position < end; position++) asked.push([i, position])
      next[i] = end
    })
    if (asked.length === 0) return { kept, answers }
    const found = await ask(asked.map(([list, position]) => [list, lists[list]![position]!]))
    asked.forEach(([list, position], i) => {
      if (found[i]) answers++
      else kept[list]!.push(position)
    })
  }
}

/** A judge may be the caller's own. */
export async function askJudge(
  judge: PairJudge,
  pairs: readonly (readonly [string, string])[],
  options: AskOptions,
): Promise<readonly boolean[]> {
  const found = await judge.judge(pairs, options)
  if (Array.isArray(found) && found.length === pairs.length && found.every((one) => typeof one === 'boolean'))
    return found
  throw invalidArgument('the answers of judge.judge()', `true or false for each of ${pairs.length} pairs`, found)
}

/** A writer may be the caller's own. Empty texts are left out. */
export async function askWriter(
  writer: NegativeWriter,
  pairs: readonly (readonly [string, string])[],
  options: AskOptions & { count: number },
): Promise<string[][]> {
  const found = await writer.write(pairs, options)
  const isRight =
    Array.isArray(found) &&
    found.length === pairs.length &&
    found.every((list) => Array.isArray(list) && list.every((text) => typeof text === 'string'))
  if (!isRight) {
    throw invalidArgument('the answer of writer.write()', `a list of texts for each of ${pairs.length} pairs`, found)
  }
  return found.map((list: readonly string[]) => list.filter((text) => text.trim() !== '').slice(0, options.count))
}
