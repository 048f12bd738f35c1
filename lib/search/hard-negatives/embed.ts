import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { TimeSlice } from '../../data/time-slice.js'
import { makeFolder } from '../../io/files.js'
import { failedTo } from '../../io/system-error.js'
import type { Embeddings } from '../../models/embeddings.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import type { EncodeOptions } from '../../models/types.js'
import { ownOf } from '../rows.js'
import { readNpy, writeNpy } from './npy.js'
import type { MiningPlan } from './options.js'

/** The part of a model that mining uses. */
export type MiningModel = Pick<SentenceTransformer, 'encodeQuery' | 'encodeDocument' | 'similarityFnName'>

/** Texts whose embeddings tell models and prompts apart. */
const PROBE = 'The embedding of this sentence stands for the weights of the model.'

/** Unit embeddings of the queries or of the corpus. Read from the plan's cache folder if it has them. */
export async function embedTexts(
  model: MiningModel,
  side: 'query' | 'corpus',
  texts: readonly string[],
  plan: MiningPlan,
  slice: TimeSlice,
  say: (line: string) => void,
): Promise<Embeddings> {
  const { batchSize, cacheFolder, signal, verbose } = plan
  const options: EncodeOptions = { batchSize, normalizeEmbeddings: true, showProgressBar: verbose === true }
  const prompt = plan[`${side}Prompt`]
  const promptName = plan[`${side}PromptName`]
  if (prompt !== undefined) options.prompt = prompt
  if (promptName !== undefined) options.promptName = promptName
  if (signal !== undefined) options.signal = signal
  const encode = async (input: readonly string[], quiet = false) => {
    const chosen = quiet ? { ...options, showProgressBar: false } : options
    const rows = await (side === 'query' ? model.encodeQuery(input, chosen) : model.encodeDocument(input, chosen))
    return ownOf(model, rows as Embeddings, `the embeddings of the ${side}`)
  }
  if (cacheFolder === undefined) return encode(texts)

  await makeFolder(cacheFolder).catch(failedTo(`make the folder ${cacheFolder}`))
  const probe = await encode([PROBE], true)
  const hash = createHash('sha256').update(JSON.stringify([side, prompt, promptName, probe.shape[1], texts.length]))
  hash.update(new Uint8Array(probe.data.buffer, probe.data.byteOffset, probe.data.byteLength))
  for (const text of texts) {
    hash.update(`\n${text.length}\n`).update(text)
    if (slice.isOver) await slice.yield()
  }
  const path = join(cacheFolder, `${side}_embeddings_${hash.digest('hex')}.npy`)
  const kept = await readNpy(path, texts.length, probe.shape[1])
  if (kept !== undefined) {
    say(`[Cache] Loaded ${side} embeddings from ${path} (shape=${kept.shape[0]}, ${kept.shape[1]})`)
    return kept
  }
  const made = await encode(texts)
  await writeNpy(path, made)
  say(`[Cache] Saved ${side} embeddings to ${path}`)
  return made
}
