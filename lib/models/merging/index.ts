export { crossEncoders, sentenceTransformers } from './kinds.js'
export { mergeModels } from './merge-models.js'
