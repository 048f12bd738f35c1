import type { AskOptions, PairJudge } from '../../search/hard-negatives/judge.js'
import { Chat, type EndpointOptions } from '../queries/chat.js'
import { AskedPairs, type AskedPairsOptions } from './asked-pairs.js'

const PROMPT = `Does the passage answer the query? Reply with yes or no, and with nothing else.

Query: {query}

Passage: {passage}`

/**
 * A judge for `util.mineHardNegatives`: a service is asked whether a candidate answers its query. The prompt has `{query}` and
 * `{passage}`. An answer that is neither yes nor no counts as a yes, so that a doubtful candidate is no negative.
 * Paper: https://arxiv.org/abs/2505.16967 (false negatives found by language models).
 *
 * ```ts
 * const judge = new recipes.EndpointJudge({ baseUrl: 'http://localhost:11434/v1', model: 'qwen3', answers: 'answers.jsonl' })
 * const triplets = await util.mineHardNegatives(pairs, model, { judge })
 * await judge.close()
 * ```
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; `judge`: ERR_NETWORK, ERR_INVALID_FILE, ERR_ABORTED
 */
export class EndpointJudge implements PairJudge {
  readonly url: string
  /** Answers that were neither yes nor no. */
  unclear = 0
  readonly #chat: Chat
  readonly #asked: AskedPairs

  constructor({ answers, ...options }: EndpointOptions & AskedPairsOptions) {
    this.#chat = new Chat(options, PROMPT, ['query', 'passage'])
    this.#asked = new AskedPairs(this.#chat, answers === undefined ? {} : { answers })
    this.url = this.#chat.url
  }

  /** Answers that came from the service, and those that the file had. */
  get counts(): Readonly<AskedPairs['counts']> {
    return this.#asked.counts
  }

  async judge(pairs: readonly (readonly [string, string])[], { signal }: AskOptions = {}): Promise<boolean[]> {
    const answers = await this.#asked.answers(pairs, slotsOf, MEMBERS, { signal })
    return answers.map((answer) => {
      const said = yesOrNo(answer)
      if (said === undefined) this.unclear++
      return said !== 'no'
    })
  }

  /** What is asked of a pair. */
  body(query: string, passage: string): Record<string, unknown> {
    return this.#chat.body(slotsOf([query, passage]), MEMBERS)
  }

  /** Opens the file of answers. @throws ERR_INVALID_FILE for answers of another service, model or prompt */
  async open(): Promise<void> {
    await this.#asked.open()
  }

  /** Closes the file of answers. */
  close(): Promise<void> {
    return this.#asked.close()
  }
}

/** The most probable answer, which is short. */
const MEMBERS = { max_tokens: 8, temperature: 0 }

const slotsOf = ([query, passage]: readonly string[]) => ({ query: query!, passage: passage! })

/** The first word of an answer, behind the thoughts that some models write first. */
export function yesOrNo(answer: string): 'yes' | 'no' | undefined {
  const said = answer.replace(/^[\s\S]*<\/think>/, '')
  const word = /^[^\p{L}]*(yes|no)(?!\p{L})/iu.exec(said)?.[1]?.toLowerCase()
  return word as 'yes' | 'no' | undefined
}
