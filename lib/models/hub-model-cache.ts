import { join } from 'node:path'
import type { CachedRepo } from '../io/hub-cache.js'
import { shardNames } from '../io/shards.js'
import { extensionOfShards } from '../io/tensor-file.js'
import { planFiles, weightIndex } from './hub-files.js'
import { jsonObject, readIfPresent, readJson } from './json.js'
import { modulesSchema } from './model-folder.js'
import { withRoutes } from './router/hub.js'

/** Files whose absence means something (mean pooling, no prompts), so that it has to be known. */
export const TELLING_FILES = ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json']

/**
 * What the snapshot of `commit` lacks: `missing` files that loading needs, and `unknown` ones that may or may not exist
 * (another program may have fetched only its own files; those known not to exist are listed in `.no_exist`).
 * @param more files whose absence has to be known, too
 */
export async function checkModel(
  cache: CachedRepo,
  commit: string,
  more: readonly string[] = [],
): Promise<{ missing: string[]; unknown: string[]; files: Set<string> }> {
  const files = await cache.files(commit)
  const list = join(cache.snapshot(commit), 'modules.json')
  const listed = files.has('modules.json') ? await readJson(list, modulesSchema) : undefined
  const { modules } = await withRoutes(listed, files, (file) =>
    readJson(join(cache.snapshot(commit), file), jsonObject),
  )
  const absent = await cache.absentFiles(commit)
  const telling = absent.has('modules.json') ? [] : TELLING_FILES
  const shards = await shardsOf(cache.snapshot(commit), weightIndex(files, modules))
  return {
    missing: planFiles(files, modules, shards).missing,
    unknown: [...telling, ...more].filter((file) => !files.has(file) && !absent.has(file)),
    files,
  }
}

/**
 * The shards that an index in `folder` names; none without an index.
 * @throws SentenceTorchError ERR_INVALID_FILE for names of files that do not lie beside it
 */
export async function shardsOf(folder: string, index: string | undefined): Promise<string[]> {
  const bytes = index && (await readIfPresent(join(folder, index)))
  return bytes ? shardNames(bytes, join(folder, index!), extensionOfShards(index!)) : []
}
