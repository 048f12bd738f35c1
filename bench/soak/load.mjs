// Loads a model, encodes with it and disposes of it, again and again: `load.mjs LOADS FOLDER`.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { SentenceTransformer } from 'sentence-torch'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'
import { judge, leftOpen, Memory, openAtFirst, random, sentences } from './common.mjs'

const [LOADS, MODEL] = [Number(process.argv[2]), process.argv[3]]
const WARM_UP = LOADS / 4
/** A model that is left behind is a hundred times as much. */
const BAR_MB_PER_100 = 1

const work = mkdtempSync(join(tmpdir(), 'soak-'))
const openBefore = await openAtFirst()
try {
  const folder = existsSync(MODEL) ? MODEL : await tinyFolder(join(work, 'model'))
  const texts = sentences(200, 1, 1, 30)
  const next = random(2)
  const memory = new Memory()
  const started = performance.now()
  let first
  let wrong = 0
  for (let load = 0; load < LOADS; load++) {
    const model = await SentenceTransformer.load(folder)
    const { data } = await model.encode(texts.slice(0, 1 + next(texts.length)))
    first ??= data.slice(0, model.embeddingDimension)
    if (!first.every((value, i) => Math.abs(value - data[i]) < 1e-5)) wrong++
    await model.dispose()
    memory.sample(load)
  }
  const seconds = (performance.now() - started) / 1000
  const leaks = await leftOpen(openBefore)
  const growth = memory.growth(WARM_UP, 100)
  const result = {
    ...{ model: basename(folder), loads: LOADS, msPerLoad: Math.round((1000 * seconds) / LOADS), wrong },
    ...{ mbPer100Loads: growth, leaks },
  }
  judge('load', result, growth.rss < BAR_MB_PER_100 && wrong === 0 && leaks.length === 0)
} finally {
  rmSync(work, { recursive: true, force: true })
}
