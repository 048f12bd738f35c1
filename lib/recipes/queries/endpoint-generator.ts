import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { arrayOf, object, parseJson, text as textSchema } from '../../io/schema.js'
import {
  integer,
  needed,
  nullable,
  type OptionTable,
  option,
  optionValues,
  positive,
  text,
} from '../../options/kinds.js'
import { isPlainObject } from '../../options.js'
import type { GenerateQueriesRequest, QueryGenerator } from './generator.js'
import { Requests } from './requests.js'

/** A service with the API of OpenAI's chat completions, which many programs have: llama.cpp, vLLM, Ollama. */
export interface EndpointOptions {
  /** What is in front of `/chat/completions`: `https://api.openai.com/v1`. */
  baseUrl: string
  /** The name of the model there. */
  model: string
  /** The environment variable that holds the key. Default: no key is sent. */
  keyVariable?: string | null
  /** What is asked. `{passage}` and `{n}` stand for the passage and the number of queries; the answer has a query in each line. */
  prompt?: string
  /** Members of the request, laid over those of this package, such as `temperature`. null leaves one out. */
  parameters?: Readonly<Record<string, unknown>>
  /** Requests at once. Default 4. */
  concurrency?: number
  /** Requests that begin within a minute. Default null: no limit. */
  requestsPerMinute?: number | null
  /** Further tries after errors that may pass. Default 5. */
  retries?: number
  /** Seconds to wait for an answer. Default 120. */
  timeout?: number
}

const PROMPT = `Write {n} different questions or search queries that a reader could have and that the passage answers. Write each on a line of its own, without numbers and without anything else.

Passage: {passage}`

export const ENDPOINT_OPTIONS = {
  baseUrl: needed(text(undefined, 'an http or https address')),
  model: needed(text(undefined, 'the name of a model')),
  keyVariable: nullable(text(undefined, 'the name of an environment variable')),
  prompt: text(PROMPT, 'a text with {passage}'),
  parameters: option<Readonly<Record<string, unknown>>>({
    type: 'Readonly<Record<string, unknown>>',
    default: {},
    expected: 'an object',
    fits: isPlainObject,
  }),
  concurrency: integer(4, { least: 1 }),
  requestsPerMinute: nullable(positive(1)),
  retries: integer(5, { least: 0 }),
  timeout: positive(120),
} satisfies OptionTable<EndpointOptions>

/** Tokens of an answer for each query: the limit of GenQ. */
const QUERY_TOKENS = 64

const answer = object({ choices: arrayOf(object({ message: object({ content: textSchema() }) }), { min: 1 }) })

/** Queries by a service. They need not be the same when they are asked for again. */
export class EndpointGenerator implements QueryGenerator {
  readonly key: unknown
  readonly url: string
  readonly #options: ReturnType<typeof endpointOptions>
  readonly #requests: Requests

  /** @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION */
  constructor(options: EndpointOptions) {
    this.#options = endpointOptions(options)
    const { baseUrl, model, prompt, parameters } = this.#options
    this.key = { baseUrl, model, prompt, parameters }
    this.url = `${baseUrl.replace(/\/+$/, '')}/chat/completions`
    this.#requests = new Requests(this.#options)
  }

  async generate(
    passages: readonly string[],
    { perPassage, seed, signal }: GenerateQueriesRequest,
  ): Promise<string[][]> {
    const headers = this.#headers()
    const ask = async (passage: string, index: number, stop: AbortSignal) => {
      const body = this.body(passage, perPassage, seed + index)
      const found = await this.#requests.post(this.url, headers, body, stop)
      return linesOf(contentOf(found, this.url)).slice(0, perPassage)
    }
    return this.#requests.all(passages, ask, signal)
  }

  /** What is asked for a passage. */
  body(passage: string, perPassage: number, seed: number): Record<string, unknown> {
    const { model, prompt, parameters } = this.#options
    const content = prompt.replaceAll(/\{n\}|\{passage\}/g, (name) => (name === '{n}' ? String(perPassage) : passage))
    const body = {
      ...{ model, messages: [{ role: 'user', content }], max_tokens: QUERY_TOKENS * perPassage, top_p: 0.95, seed },
      ...parameters,
    }
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
  }

  /** @throws ERR_INVALID_ARGUMENT when the variable is not set */
  #headers(): Record<string, string> {
    const { keyVariable } = this.#options
    if (keyVariable === null) return {}
    const key = process.env[keyVariable]
    if (!key) throw invalidArgument(`the environment variable ${keyVariable}`, 'a key', key)
    return { authorization: `Bearer ${key}` }
  }
}

function endpointOptions(options: EndpointOptions) {
  const given = optionValues('endpoint', options, ENDPOINT_OPTIONS)
  const { baseUrl, prompt } = given
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    const found = url?.password ? 'one with a password' : baseUrl
    throw invalidArgument('endpoint baseUrl', 'an http or https address without user name', found)
  }
  if (!prompt.includes('{passage}')) throw invalidArgument('endpoint prompt', 'a text with {passage}', prompt)
  return given
}

function contentOf(found: unknown, url: string): string {
  try {
    const { choices } = parseJson(JSON.stringify(found), url, answer)
    return choices[0]!.message.content
  } catch (cause) {
    const message = `${url}: expected choices[0].message.content, found ${JSON.stringify(found).slice(0, 300)}`
    throw new SentenceTorchError('ERR_NETWORK', message, { cause })
  }
}

/** The lines of an answer without what models put in front of them: `1.`, `2)`, `-`, and quotes around them. */
export function linesOf(content: string): string[] {
  return content
    .split('\n')
    .map((line) => line.trim().replace(/^(?:\d{1,2}[.)]|[-*•])\s+/, ''))
    .map((line) => (/^".*"$/.test(line) ? line.slice(1, -1) : line))
    .filter((line) => line !== '')
}
