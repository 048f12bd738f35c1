import { UsageError } from './command.js'

/** The first of a shard's texts or files, from 0 on, and the step to the next one. @throws UsageError */
export function shardOf(text: string | undefined): { first: number; step: number } {
  if (text === undefined) return { first: 0, step: 1 }
  const [, first, step] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (first !== undefined && Number(first) >= 1 && Number(first) <= Number(step))
    return { first: Number(first) - 1, step: Number(step) }
  const message = `--shard takes i/n with 1 ≤ i ≤ n, such as 1/4, not ${JSON.stringify(text)}`
  throw new UsageError('ERR_INVALID_ARGUMENT', message, 'encode')
}
