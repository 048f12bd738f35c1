// The main process: the window, and the worker that the engine runs in. The main process itself never loads the engine, so that
// neither loading a model nor a crash of native code can take the window with it.
import { join } from 'node:path'
import { app, BrowserWindow, ipcMain, utilityProcess } from 'electron'

const here = import.meta.dirname
let worker
let nextId = 1
/** Calls that wait for their answer, by number. */
const waiting = new Map()

function startWorker() {
  worker = utilityProcess.fork(join(here, 'worker.js'), [], { serviceName: 'sentence-torch' })
  worker.on('message', ({ id, progress, result, error }) => {
    const call = waiting.get(id)
    if (progress) return call?.sender.send('progress', progress)
    waiting.delete(id)
    if (error) call?.reject(new Error(`${error.code}: ${error.message}`))
    else call?.resolve(result)
  })
  worker.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the worker ended with code ${code}`))
    waiting.clear()
    worker = undefined
  })
}

/** What the window may ask for; the worker's answer is the answer. */
ipcMain.handle('call', (event, command, args) => {
  if (!worker) startWorker()
  const id = nextId++
  // A trained model goes where the user's data is: the folder of the app cannot be written.
  const own = command === 'train' ? { saveTo: join(app.getPath('userData'), 'model') } : {}
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject, sender: event.sender })
    worker.postMessage({ id, command, args: { ...args, ...own } })
  })
})

// Not awaited: the app becomes ready only when this module has been evaluated.
app.whenReady().then(() => {
  const window = new BrowserWindow({ width: 720, height: 640, webPreferences: { preload: join(here, 'preload.cjs') } })
  return window.loadFile(join(here, 'index.html'))
})

app.on('window-all-closed', () => app.quit())
app.on('quit', () => worker?.kill())
