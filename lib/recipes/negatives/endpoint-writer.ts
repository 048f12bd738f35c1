import type { AskOptions, NegativeWriter } from '../../search/hard-negatives/judge.js'
import { Chat, type EndpointOptions, linesOf } from '../queries/chat.js'
import { AskedPairs, type AskedPairsOptions } from './asked-pairs.js'

const PROMPT = `Write {n} different passages that are about the subject of the query and use its words, but do not answer it. Each is as long as the passage that answers it, and in its style. Write each on a line of its own, without numbers and without anything else.

Query: {query}

Passage that answers it: {passage}`

/** Tokens of a passage. */
const PASSAGE_TOKENS = 300

/**
 * A writer for `util.mineHardNegatives`: a service writes the negatives of each query. The prompt has `{query}`, `{passage}` (the
 * positive) and `{n}`; the answer has a negative in each line.
 * Paper: https://arxiv.org/abs/2401.00368 (hard negatives written by a language model).
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION; `write`: ERR_NETWORK, ERR_INVALID_FILE, ERR_ABORTED
 */
export class EndpointWriter implements NegativeWriter {
  readonly url: string
  readonly #chat: Chat
  readonly #asked: AskedPairs

  constructor({ answers, ...options }: EndpointOptions & AskedPairsOptions) {
    this.#chat = new Chat(options, PROMPT, ['query', 'passage', 'n'])
    this.#asked = new AskedPairs(this.#chat, answers === undefined ? {} : { answers })
    this.url = this.#chat.url
  }

  /** Answers that came from the service, and those that the file had. */
  get counts(): Readonly<AskedPairs['counts']> {
    return this.#asked.counts
  }

  async write(
    pairs: readonly (readonly [string, string])[],
    { count, signal }: AskOptions & { count: number },
  ): Promise<string[][]> {
    const slots = ([query, passage]: readonly string[]) => slotsOf(query!, passage!, count)
    const answers = await this.#asked.answers(pairs, slots, members(count), { signal, about: [String(count)] })
    return answers.map((answer) => linesOf(answer).slice(0, count))
  }

  /** What is asked for a pair. */
  body(query: string, passage: string, count: number): Record<string, unknown> {
    return this.#chat.body(slotsOf(query, passage, count), members(count))
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

const slotsOf = (query: string, passage: string, count: number) => ({ query, passage, n: String(count) })
const members = (count: number) => ({ max_tokens: PASSAGE_TOKENS * count, top_p: 0.95 })
