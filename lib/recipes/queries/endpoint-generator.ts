import { Chat, type EndpointOptions, endpointTable, linesOf } from './chat.js'
import type { GenerateQueriesRequest, QueryGenerator } from './generator.js'

const PROMPT = `Write {n} different questions or search queries that a reader could have and that the passage answers. Write each on a line of its own, without numbers and without anything else.

Passage: {passage}`

export const ENDPOINT_OPTIONS = endpointTable(PROMPT, 'a text with {passage}')

/** Tokens of an answer for each query: the limit of GenQ. */
const QUERY_TOKENS = 64

/** Queries by a service. They need not be the same when they are asked for again. */
export class EndpointGenerator implements QueryGenerator {
  readonly key: unknown
  readonly url: string
  readonly #chat: Chat

  /** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: EndpointOptions) {
    this.#chat = new Chat(options, PROMPT, ['passage'])
    this.key = this.#chat.key
    this.url = this.#chat.url
  }

  async generate(
    passages: readonly string[],
    { perPassage, seed, signal }: GenerateQueriesRequest,
  ): Promise<string[][]> {
    const bodies = passages.map((passage, i) => this.body(passage, perPassage, seed + i))
    const contents = await this.#chat.ask(bodies, signal)
    return contents.map((content) => linesOf(content).slice(0, perPassage))
  }

  /** What is asked for a passage. */
  body(passage: string, perPassage: number, seed: number): Record<string, unknown> {
    const members = { max_tokens: QUERY_TOKENS * perPassage, top_p: 0.95, seed }
    return this.#chat.body({ n: String(perPassage), passage }, members)
  }
}
