import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import type { ConfigObject } from '../../native/types.js'
import type { ModelModule, ModuleInput, PlacedModule } from './module.js'

/** The engine's limit: beyond it nothing would be left. */
const MOST = 0.9999
const RANGE = `a number from 0 to ${MOST}`

/** Dropout of the sentence embedding, in training alone. Source: sentence-transformers `Dropout`. */
export class Dropout implements ModelModule {
  static readonly hasWeights = false
  static readonly needsConfig = true
  readonly #dropout: number

  /** @param dropout probability @throws SentenceTorchError ERR_INVALID_ARGUMENT */
  constructor(dropout = 0.2) {
    if (!fits(dropout)) throw invalidArgument('dropout', RANGE, dropout)
    this.#dropout = dropout
  }

  /** @internal */
  static read({ dropout, ...extra }: ConfigObject, file: string): { module: Dropout; extra: ConfigObject } {
    if (dropout !== undefined && !fits(dropout)) {
      throw new SentenceTorchError(
        'ERR_INVALID_MODEL',
        `Expected ${RANGE} as dropout in ${file}, found ${describe(dropout)}`,
      )
    }
    return { module: new Dropout(dropout), extra }
  }

  /** @internal */
  place({ width }: ModuleInput): PlacedModule {
    const config = { dropout: this.#dropout }
    return { spec: { type: 'Dropout', ...config }, outputDimension: width, config, shown: config }
  }
}

function fits(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MOST
}
