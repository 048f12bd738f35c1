/** Questions about pairs of texts to a service; the answers are kept. */
import type { Chat, Slots } from '../queries/chat.js'
import { AnswerFile } from './answer-file.js'

export interface AskedPairsOptions {
  /** A file of answers: those in it are not asked for again, and new ones are added as they come. Default: none. */
  answers?: string
}

export class AskedPairs {
  /** Answers that came from the service, and those that the file had. */
  readonly counts = { asked: 0, kept: 0 }
  readonly #chat: Chat
  readonly #path: string | undefined
  #file: Promise<AnswerFile> | undefined

  constructor(chat: Chat, { answers }: AskedPairsOptions) {
    this.#chat = chat
    this.#path = answers
  }

  /** The file of answers, if there is to be one. @throws ERR_INVALID_FILE; an error of the system */
  async open(): Promise<AnswerFile | undefined> {
    if (this.#path !== undefined) this.#file ??= AnswerFile.open(this.#path, this.#chat.key)
    return this.#file
  }

  /**
   * What the service says to each pair.
   * @param slots what stands for the names in the prompt
   */
  async answers(
    pairs: readonly (readonly string[])[],
    slots: (pair: readonly string[]) => Slots,
    members: Readonly<Record<string, unknown>>,
    { signal, about = [] }: { signal?: AbortSignal | undefined; about?: readonly string[] } = {},
  ): Promise<string[]> {
    const file = await this.open()
    const keys = pairs.map((pair) => [...pair, ...about])
    const found = keys.map((key) => file?.get(key))
    const missing = [...found.keys()].filter((i) => found[i] === undefined)
    this.counts.kept += found.length - missing.length
    const bodies = missing.map((i) => this.#chat.body(slots(pairs[i]!), members))
    const said = await this.#chat.ask(bodies, signal, async (index, content) => {
      this.counts.asked++
      await file?.add(keys[missing[index]!]!, content)
    })
    said.forEach((content, i) => {
      found[missing[i]!] = content
    })
    return found as string[]
  }

  async close(): Promise<void> {
    // An error of opening was thrown where it was asked for.
    const file = await this.#file?.catch(() => undefined)
    this.#file = undefined
    await file?.close()
  }
}
