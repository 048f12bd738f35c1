/**
 * sentence-torch/serve: models behind HTTP, with the routes of text-embeddings-inference, OpenAI, Cohere and Jina. See docs/serve.md.
 */
export { createHandler, type ServeHandler } from './handler.js'
export type { Hooks, TracedRequest, TracedWork } from './hooks.js'
export type { Feedback } from './learner/feedback.js'
export { Learner, type LearnerStatus } from './learner/learner.js'
export type { LearnerOptions } from './learner/options.js'
export type { Round } from './learner/rounds.js'
export { loadModel } from './load.js'
export { jsonLine, type LogRecord, plainLine } from './log.js'
export { type AnyModel, type ModelTask, ServedModel, type VersionOptions } from './served-model.js'
export { type RunningServer, type ServeOptions, serve } from './server.js'
export type { HandlerOptions } from './settings.js'
