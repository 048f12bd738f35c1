import { SentenceTorchError } from '../errors.js'
import { GLOBALS } from './template-globals.js'
import { lineOfSyntax, markLines } from './template-lines.js'
import { type TemplateLibrary, templateLibrary } from './template-python.js'

/** Far beyond templates of models. The library takes quadratic time for white space. */
const MOST_UNITS = 2 ** 20
const LONGEST_SPACE = 2000

const READ_AS_PYTHON = { lstrip_blocks: true, trim_blocks: true }

/**
 * The chat template of a model's folder. It is foreign text, and the library that runs it gives it nothing but the values that it
 * is rendered with.
 * Source: transformers 5.24, `render_jinja_template`.
 */
export class ChatTemplate {
  /** What errors call it. */
  readonly file: string
  readonly #source: string
  readonly #library: TemplateLibrary
  readonly #program: unknown

  private constructor(source: string, file: string, library: TemplateLibrary) {
    this.#source = source
    this.file = file
    this.#library = library
    this.#program = this.#parse(source)
  }

  /** @throws SentenceTorchError ERR_INVALID_MODEL naming file and line */
  static async compile(text: string, file: string): Promise<ChatTemplate> {
    const library = await templateLibrary()
    // As Python reads files, and as Jinja reads templates.
    const source = text.replace(/\r\n?/g, '\n')
    checkSize(source, file)
    try {
      return new ChatTemplate(source, file, library)
    } catch (error) {
      throw faulty(file, lineOfSyntax(source, library), 'cannot be understood', error)
    }
  }

  /**
   * The text that the template makes of `values`.
   * @throws SentenceTorchError ERR_INVALID_MODEL naming file and line
   */
  render(values: Readonly<Record<string, unknown>>): string {
    try {
      return this.#run(this.#program, values)
    } catch (error) {
      throw faulty(this.file, this.#lineOf(values), 'fails', error)
    }
  }

  /** The line of the last tag that is reached, of a template that fails with these values. */
  #lineOf(values: Readonly<Record<string, unknown>>): number | undefined {
    let reached: number | undefined
    const { source, name } = markLines(this.#source)
    const reach = (line: number) => {
      reached = line
      return ''
    }
    try {
      this.#run(this.#parse(source), { ...values, [name]: reach })
    } catch {}
    return reached
  }

  #parse(source: string): unknown {
    return this.#library.parse(this.#library.tokenize(source, READ_AS_PYTHON))
  }

  #run(program: unknown, values: Readonly<Record<string, unknown>>): string {
    const { Environment, Interpreter } = this.#library
    const globals = new Environment()
    for (const [name, value] of Object.entries(GLOBALS)) globals.set(name, value)
    const own = new Environment(globals)
    for (const [name, value] of Object.entries(values)) own.set(name, value)
    return String(new Interpreter(own).run(program).value)
  }
}

/** @throws SentenceTorchError ERR_INVALID_MODEL */
function checkSize(source: string, file: string): void {
  const space = new RegExp(`\\s{${LONGEST_SPACE + 1}}`).exec(source)?.index
  if (source.length <= MOST_UNITS && space === undefined) return
  const [place, what] =
    space === undefined
      ? [file, `${source.length} characters, expected at most ${MOST_UNITS}`]
      : [`${file}:${source.slice(0, space).split('\n').length}`, `more than ${LONGEST_SPACE} spaces on end`]
  throw new SentenceTorchError('ERR_INVALID_MODEL', `The chat template ${place} has ${what}`)
}

function faulty(file: string, line: number | undefined, what: string, cause: unknown): SentenceTorchError {
  const place = line === undefined ? file : `${file}:${line}`
  const reason = reasonOf(cause)
  return new SentenceTorchError('ERR_INVALID_MODEL', `The chat template ${place} ${what}: ${reason}`, { cause })
}

/** What the library says, but for what are errors of its own code there. */
function reasonOf(cause: unknown): string {
  if (cause instanceof RangeError) return 'its parts, or its calls of itself, go too deep, or its text is too long'
  if (cause instanceof TypeError) return 'it ends too early, or asks for what its values are not'
  return String(cause)
}
