import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { Requests } from '../../io/requests.js'
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

/** A service with the API of OpenAI's chat completions, which many programs have: llama.cpp, vLLM, Ollama. */
export interface EndpointOptions {
  /** What is in front of `/chat/completions`: `https://api.openai.com/v1`. */
  baseUrl: string
  /** The name of the model there. */
  model: string
  /** The environment variable that holds the key. Default: no key is sent. */
  keyVariable?: string | null
  /** What is asked; names in braces, such as `{passage}`, stand for what the question is about. */
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

/** The table of options of a service that is asked `prompt`. */
export function endpointTable(prompt: string, expected: string) {
  return {
    baseUrl: needed(text(undefined, 'an http or https address')),
    model: needed(text(undefined, 'the name of a model')),
    keyVariable: nullable(text(undefined, 'the name of an environment variable')),
    prompt: text(prompt, expected),
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
}

const answer = object({ choices: arrayOf(object({ message: object({ content: textSchema() }) }), { min: 1 }) })

/** Names in braces of a prompt, with what stands for them. */
export type Slots = Readonly<Record<string, string>>

/** Asks a service one question after another, or some at once. */
export class Chat {
  readonly url: string
  /** What decides the answers. */
  readonly key: unknown
  readonly #options: Required<EndpointOptions>
  readonly #requests: Requests

  /**
   * @param needs names that the prompt must have in braces
   * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  constructor(given: EndpointOptions, prompt: string, needs: readonly string[]) {
    const names = needs.map((name) => `{${name}}`)
    const expected = `a text with ${names.join(' and ')}`
    const options = optionValues('endpoint', given, endpointTable(prompt, expected))
    checkUrl(options.baseUrl)
    if (!names.every((name) => options.prompt.includes(name)))
      throw invalidArgument('endpoint prompt', expected, options.prompt)
    this.#options = options
    const { baseUrl, model, parameters } = options
    this.key = { baseUrl, model, prompt: options.prompt, parameters }
    this.url = `${baseUrl.replace(/\/+$/, '')}/chat/completions`
    this.#requests = new Requests(options)
  }

  /** The request: the prompt with its names filled, and the members of the caller's `parameters`. */
  body(slots: Slots, members: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const { model, prompt, parameters } = this.#options
    const content = prompt.replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(slots, name) ? slots[name]! : whole,
    )
    const body = { model, messages: [{ role: 'user', content }], ...members, ...parameters }
    return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
  }

  /**
   * The answers to all requests, in their order.
   * @param onAnswer told of each as it comes
   * @throws ERR_NETWORK, ERR_ABORTED; ERR_INVALID_ARGUMENT when the variable of the key is not set
   */
  async ask(
    bodies: readonly object[],
    signal: AbortSignal | undefined,
    onAnswer: (index: number, content: string) => Promise<void> = async () => {},
  ): Promise<string[]> {
    const headers = this.#headers()
    const ask = async (body: object, index: number, stop: AbortSignal) => {
      const content = contentOf(await this.#requests.post(this.url, headers, body, stop), this.url)
      await onAnswer(index, content)
      return content
    }
    return this.#requests.all(bodies, ask, signal)
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

function checkUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return
  const found = url?.password ? 'one with a password' : baseUrl
  throw invalidArgument('endpoint baseUrl', 'an http or https address without user name', found)
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
