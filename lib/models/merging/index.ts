export { crossEncoders, multiVectorEncoders, sentenceTransformers } from './kinds.js'
export { mergeModels } from './merge-models.js'
