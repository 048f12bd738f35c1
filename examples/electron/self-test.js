// What a user would do, done in the window: `electron . --self-test=<model folder>` ends with 0 if all of it works.
import { app } from 'electron'

const steps = 3

/** Runs in the window. @param {string} folder @param {number} steps */
async function use(folder, steps) {
  const { engine } = window
  const seen = []
  engine.onProgress(({ step }) => seen.push(step))
  const { dimension } = await engine.call('load', { folder })
  const { data, shape } = await engine.call('embed', { texts: ['the red cat', 'a blue dog'] })
  const pairs = ['red', 'green', 'blue', 'cat', 'dog', 'cow'].map((word) => [`the ${word}`, `a ${word}`])
  const { saved } = await engine.call('train', { pairs, steps })
  const refused = await engine.call('embed', { texts: [3] }).catch((error) => error.message)
  return { dimension, shape, finite: data.every(Number.isFinite), seen, saved, refused }
}

/** @param {import('electron').BrowserWindow} window @param {string} folder */
export async function selfTest(window, folder) {
  try {
    const call = `(${use})(${JSON.stringify(folder)}, ${steps})`
    const { dimension, shape, finite, seen, saved, refused } = await window.webContents.executeJavaScript(call)
    console.log(JSON.stringify({ electron: process.versions.electron, dimension, shape, seen, saved, refused }))
    const embeds = finite && shape[0] === 2 && shape[1] === dimension
    app.exit(embeds && seen.length === steps && /ERR_/.test(refused) ? 0 : 1)
  } catch (error) {
    console.error(error)
    app.exit(1)
  }
}
