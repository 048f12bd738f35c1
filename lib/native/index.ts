// What install/doctor.mjs asks the library, an entry of its own in the bundle.
export { findAddon, findLibtorch } from './find-addon.js'
export { loadAddon } from './load.js'
