// All that the window can reach. Preload scripts of sandboxed windows are CommonJS.
const { contextBridge, ipcRenderer } = require('electron')

contextBridge.exposeInMainWorld('engine', {
  /** @param {'load' | 'embed' | 'train'} command @param {object} args */
  call: (command, args) => ipcRenderer.invoke('call', command, args),
  /** @param {(progress: { step: number, steps: number, loss: number }) => void} listener */
  onProgress: (listener) => ipcRenderer.on('progress', (_event, progress) => listener(progress)),
})
