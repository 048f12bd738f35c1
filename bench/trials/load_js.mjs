// From the start of the process to the first embedding, transformers.js on onnxruntime-node.
import { basename, dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { jsPackage } from '../common/peers.mjs'
import { peakRssMB, say, trialOptions } from './trial.mjs'

const { env, pipeline } = await import(pathToFileURL(jsPackage).href)
const { model: folder, started } = trialOptions()
env.allowRemoteModels = false
env.localModelPath = `${dirname(folder)}/`
const extract = await pipeline('feature-extraction', basename(folder), { dtype: 'fp32', device: 'cpu' })
await extract(['How late is it?'], { pooling: 'mean', normalize: true })
const firstMs = Date.now() - started
say({ firstMs, peakRssMB: peakRssMB(), versions: { node: process.versions.node, 'transformers.js': env.version } })
