import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '../../lib/data/tokenizer.js'

/**
 * Our side of sweep_tokenizers.py: <folder of a tokenizer> <JSON file of texts> <folder for the files `ids` and `offsets`>. Prints the
 * seconds that it took to load from the parsed JSON and to encode.
 */
const [folder = '', texts = '', out = ''] = process.argv.slice(2)

function json(name: string): object | undefined {
  const path = join(folder, name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

// Where Python loads with `tokenizers` alone, no class of transformers changes anything.
const config = json('tokenizer_config.json') ?? { tokenizer_class: 'PreTrainedTokenizerFast' }
const [addedTokens, specialTokensMap] = [json('added_tokens.json'), json('special_tokens_map.json')]
const all: string[] = JSON.parse(readFileSync(texts, 'utf8'))
const parseStart = performance.now()
const tokenizerJson = json('tokenizer.json')!
const start = performance.now()
const tokenizer = Tokenizer.from(
  { json: tokenizerJson, config, ...(addedTokens && { addedTokens }), ...(specialTokensMap && { specialTokensMap }) },
  { maxSeqLength: 2 ** 30 },
)
const loaded = performance.now()
const { ids, offsets } = tokenizer.encode(all)
const encoded = performance.now()
writeFileSync(join(out, 'ids'), ids)
writeFileSync(join(out, 'offsets'), offsets)
const seconds = (milliseconds: number) => Math.round(milliseconds) / 1000
console.log(
  JSON.stringify({
    parse: seconds(start - parseStart),
    load: seconds(loaded - start),
    encode: seconds(encoded - loaded),
  }),
)
await tokenizer.dispose()
