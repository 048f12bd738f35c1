import type { SentenceTransformer } from '../models/sentence-transformer.js'

/** When and where an evaluation happens; all absent outside training. */
export interface EvaluationContext {
  /** Folder for the CSV file; none is written without it. */
  outputPath?: string
  /** Passes over the training data so far. Default −1. */
  epoch?: number
  /** Optimiser steps so far. Default −1. */
  steps?: number
  signal?: AbortSignal
}

export interface EvaluationResult {
  /** Every name starts with the evaluator's `name` and `_`, if it has one. */
  metrics: Record<string, number>
  /** The name in `metrics` by which models are compared. */
  primaryMetric: string
}

/** The part of a model that evaluators use. */
export type EvaluatedModel = Pick<SentenceTransformer, 'encode' | 'similarityFnName'>

export interface Evaluator {
  evaluate(model: EvaluatedModel, context?: EvaluationContext): Promise<EvaluationResult>
}
