import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Tokenizer } from '../../lib/data/tokenizer.js'
import type { SentenceTorchError } from '../../lib/errors.js'

/**
 * Our side of sweep_random_tokenizers.py: <file with a line of JSON for each tokenizer, its texts and Rust's ids>. Prints a line for each
 * tokenizer with other ids. Exits with 1 if there is one.
 */
interface Case {
  name: string
  json: object
  texts: string[]
  /** null for a text that Rust refuses. */
  ids: (number[] | null)[]
}

/** Ids that a cut to few tokens keeps. */
const FEW = 3
const config = { tokenizer_class: 'PreTrainedTokenizerFast' }

async function idsOf(tokenizer: Tokenizer, text: string, length: number): Promise<number[] | null> {
  try {
    return [...(await tokenizer.encodeAll([text], length, { allowEmpty: true })).ids]
  } catch (error) {
    if ((error as SentenceTorchError).code === 'ERR_INVALID_DATA') return null
    throw error
  }
}

const counts = { compared: 0, texts: 0, differing: 0, refused: {} as Record<string, number> }
for await (const line of createInterface({ input: createReadStream(process.argv[2]!) })) {
  const { name, json, texts, ids } = JSON.parse(line) as Case
  let tokenizer: Tokenizer
  try {
    tokenizer = Tokenizer.fromFiles(json, config, { maxSeqLength: 2 ** 30 })
  } catch (error) {
    const { code, message } = error as SentenceTorchError
    const what = `${code}: ${message.slice(0, 120)}`
    counts.refused[what] = (counts.refused[what] ?? 0) + 1
    continue
  }
  counts.compared++
  const differences: object[] = []
  for (const [i, text] of texts.entries()) {
    counts.texts++
    const expected = ids[i]!
    const own = await idsOf(tokenizer, text, 2 ** 30)
    // A cut text is not read to its end, where the error may be.
    const cut = expected && (await idsOf(tokenizer, text, FEW))
    if (JSON.stringify(own) !== JSON.stringify(expected)) differences.push({ text, expected, own })
    else if (cut && JSON.stringify(cut) !== JSON.stringify(expected.slice(0, FEW))) differences.push({ text, cut })
  }
  await tokenizer.dispose()
  if (differences.length === 0) continue
  counts.differing++
  const shown = [...differences].sort((a, b) => JSON.stringify(a).length - JSON.stringify(b).length).slice(0, 2)
  const { model, ...blocks } = json as { model: { type: string } & Record<string, unknown> }
  const { vocab: _, merges: __, ...settings } = model
  const brief = JSON.stringify({ ...blocks, model: settings }).replace(
    /"precompiled_charsmap":"[^"]{100,}"/g,
    '"charsmap":"large"',
  )
  console.log(JSON.stringify({ name, differing: differences.length, shown, brief }))
}
console.log(JSON.stringify(counts))
process.exitCode = counts.differing > 0 ? 1 : 0
