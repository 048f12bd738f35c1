/** Answers of a service in a file, a line each, written as they come: what was paid for is not asked for again. */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { SentenceTorchError } from '../../errors.js'
import { absent } from '../../io/files.js'
import { anything, arrayOf, object, oneOf, parseJson, text } from '../../io/schema.js'
import { failedTo } from '../../io/system-error.js'

const headSchema = object({ format: oneOf(1), key: anything })
const lineSchema = object({ asked: arrayOf(text()), answer: text() })

export class AnswerFile {
  readonly #answers: Map<string, string>
  readonly #file: FileHandle
  /** Lines go one after another. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(answers: Map<string, string>, file: FileHandle) {
    this.#answers = answers
    this.#file = file
  }

  /**
   * @param key decides the answers: service, model and prompt
   * @throws ERR_INVALID_FILE for a file with answers to another key, and for one that is none; an error of the system
   */
  static async open(path: string, key: unknown): Promise<AnswerFile> {
    const found = await readFile(path, 'utf8').catch(absent(''))
    // A process that was killed may have left a part of a line.
    const whole = found.slice(0, found.lastIndexOf('\n') + 1)
    const [head, ...lines] = whole.split('\n').slice(0, -1)
    const answers = new Map<string, string>()
    if (head !== undefined) {
      const own = parseJson(head, `line 1 of ${path}`, headSchema)
      if (JSON.stringify(own.key) !== JSON.stringify(key)) {
        const message = `${path} has answers of another service, model or prompt: name another file, or remove it`
        throw new SentenceTorchError('ERR_INVALID_FILE', message)
      }
    } else if (found.length > 0 && !found.startsWith('{"format":1,')) {
      throw new SentenceTorchError('ERR_INVALID_FILE', `Expected answers of a service in ${path}, found another file`)
    }
    lines.forEach((line, i) => {
      const { asked, answer } = parseJson(line, `line ${i + 2} of ${path}`, lineSchema)
      answers.set(JSON.stringify(asked), answer)
    })
    const file = await open(path, 'a').catch(failedTo(`write ${path}`))
    const kept = new AnswerFile(answers, file)
    try {
      await file.truncate(Buffer.byteLength(whole))
      if (head === undefined) await kept.#write({ format: 1, key })
    } catch (error) {
      await file.close()
      throw error
    }
    return kept
  }

  get(asked: readonly string[]): string | undefined {
    return this.#answers.get(JSON.stringify(asked))
  }

  async add(asked: readonly string[], answer: string): Promise<void> {
    this.#answers.set(JSON.stringify(asked), answer)
    await this.#write({ asked, answer })
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {})
    await this.#file.close()
  }

  /** After a write that failed, which may have left a part of a line, all others fail as it did. */
  #write(line: object): Promise<void> {
    const written = this.#last.then(() => this.#file.appendFile(`${JSON.stringify(line)}\n`))
    this.#last = written
    return written
  }
}
