/** `sentence-torch generate-queries`. */
import { stat } from 'node:fs/promises'
import { SentenceTorchError } from '../errors.js'
import { absent } from '../io/files.js'
import { loadData } from '../recipes/load-data.js'
import { EndpointGenerator } from '../recipes/queries/endpoint-generator.js'
import type { QueryGenerator } from '../recipes/queries/generator.js'
import { areTexts, passagesOf, passagesOfTexts } from '../recipes/queries/passages.js'
import { writeQueries } from '../recipes/queries/query-files.js'
import { T5Generator } from '../recipes/queries/t5-generator.js'
import { numberOf, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { serviceOf } from './service-options.js'

/** A rule of thumb for English. */
const CHARACTERS_OF_TOKEN = 4

export async function writeQueryFiles(values: Values, io: Io): Promise<number> {
  const output = textOf(values, 'output')
  const isDry = values.options['dry-run'] === true
  if (output === undefined && !isDry) throw misuse('it needs a folder: --output <folder>')
  const generator = await generatorOf(values, io)
  try {
    const { passages, dropped } = await read(values, generator, io)
    const perPassage = numberOf(values, 'queries') ?? 3
    const seed = numberOf(values, 'seed') ?? 42
    if (isDry) return plan(passages, generator, { perPassage, seed }, values, io)
    const log = (line: string) => io.err(`${line}\n`)
    const counts = await writeQueries(output!, passages, generator, { perPassage, seed, signal: io.signal, log })
    const result = { output, passages: passages.length, passagesLeftOut: dropped, ...counts }
    if (values.options.json) io.out(`${JSON.stringify(result)}\n`)
    else io.out(`${counts.queries} pairs for ${passages.length} passages in ${output}\n`)
    return 0
  } finally {
    await generator.dispose?.()
  }
}

/** Shows what would be asked. */
function plan(
  passages: readonly string[],
  generator: QueryGenerator,
  { perPassage, seed }: { perPassage: number; seed: number },
  values: Values,
  io: Io,
): number {
  const isService = generator instanceof EndpointGenerator
  const bodies = isService ? passages.map((passage) => generator.body(passage, perPassage, seed)) : []
  const asked = isService
    ? bodies.reduce((sum, { messages }) => sum + JSON.stringify(messages).length, 0)
    : passages.reduce((sum, passage) => sum + passage.length, 0)
  const tokens = Math.ceil(asked / CHARACTERS_OF_TOKEN)
  const most = passages.length * perPassage * 64
  const result = {
    ...{
      passages: passages.length,
      queries: passages.length * perPassage,
      tokensToRead: tokens,
      mostTokensToWrite: most,
    },
    ...(isService && { url: generator.url, firstRequest: bodies[0] }),
  }
  if (values.options.json) io.out(`${JSON.stringify(result)}\n`)
  else {
    const first = isService ? `POST ${generator.url}, ${passages.length} times. The first:\n` : 'The first passage:\n'
    io.out(`${first}${isService ? JSON.stringify(bodies[0], null, 2) : passages[0]}\n`)
    io.out(`About ${tokens} tokens to read (${CHARACTERS_OF_TOKEN} characters each), at most ${most} to write.\n`)
  }
  return 0
}

async function read({ words }: Values, generator: QueryGenerator, { signal }: Io) {
  const [first, ...more] = words as [string, ...string[]]
  // What is not there may be a misspelt folder, whose name has no ending that could be wrong.
  for (const word of words) {
    const found = await stat(word).catch(absent(undefined))
    if (!found) throw new SentenceTorchError('ERR_NOT_FOUND', `There is no file or folder ${word}`)
  }
  if (words.every(areTexts)) {
    const tokenizer = generator instanceof T5Generator ? await generator.tokenizer() : undefined
    return passagesOf(await passagesOfTexts(words, tokenizer, signal))
  }
  if (more.length > 0) throw misuse('it takes folders and files of text, or one table')
  return passagesOf((await loadData(first, { where: 'documents', signal })).dataset)
}

async function generatorOf(values: Values, { signal }: Io): Promise<QueryGenerator> {
  const t5 = textOf(values, 't5')
  if ((t5 === undefined) === (textOf(values, 'endpoint') === undefined))
    throw misuse('it needs either --t5 or --endpoint')
  const service = serviceOf(values, 'model', 'generate-queries')
  if (service === undefined) return T5Generator.of(t5!, signal)
  try {
    return new EndpointGenerator(service)
  } catch (error) {
    throw error instanceof SentenceTorchError ? misuse(error.message) : error
  }
}

function misuse(what: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', `generate-queries: ${what}`, 'generate-queries')
}
