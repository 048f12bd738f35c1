// A main process of Electron without a window: starts the worker of examples/electron that WORKER names, lets it load MODEL, embed
// and train, and ends with 0 if all of that worked.
import { app, utilityProcess } from 'electron'

const { WORKER, MODEL, SAVE_TO } = process.env
const pairs = Array.from({ length: 8 }, (_, i) => [`question ${i}`, `answer ${i}`])

async function run() {
  const worker = utilityProcess.fork(WORKER, [], { stdio: 'inherit' })
  const ended = new Promise((_, reject) => {
    worker.once('exit', (code) => reject(new Error(`the worker ended with code ${code}`)))
  })
  let reported = 0
  const call = (id, command, args) => {
    const answered = new Promise((resolve, reject) => {
      worker.on('message', (message) => {
        if (message.id !== id) return
        if (message.progress) reported += 1
        else if (message.error) reject(new Error(`${command}: ${message.error.code}: ${message.error.message}`))
        else resolve(message.result)
      })
    })
    worker.postMessage({ id, command, args })
    return Promise.race([answered, ended])
  }

  const { dimension } = await call(1, 'load', { folder: MODEL })
  const { data, shape } = await call(2, 'embed', { texts: ['a cat', 'a dog'] })
  if (shape[0] !== 2 || shape[1] !== dimension || !data.every(Number.isFinite)) throw new Error('bad embeddings')
  await call(3, 'train', { pairs, steps: 3, saveTo: SAVE_TO })
  if (reported < 3) throw new Error(`3 reports of the training are expected, found ${reported}`)
  console.log(`Electron ${process.versions.electron}, Node ${process.versions.node}: ${dimension} dimensions, trained`)
}

// Not awaited: the app becomes ready only when this module has been evaluated.
app
  .whenReady()
  .then(run)
  .then(
    () => app.exit(0),
    (error) => {
      console.error(error)
      app.exit(1)
    },
  )
