import { type Minimum, minimize, type Objective } from './lbfgs.js'

export interface LogisticOptions {
  /** Inverse strength of the L2 penalty. Default 1. */
  c?: number
  /** Default 100. */
  maxIterations?: number
  /** Default 1e-4. */
  tolerance?: number
}

/** A linear classifier: class k scores `weight[k] · x + bias[k]`. */
export interface LogisticModel {
  classes: number
  /** [classes, width + 1]: the weights of a class, then its bias. */
  parameters: Float64Array
  iterations: number
  converged: boolean
}

/**
 * Multinomial logistic regression with an L2 penalty on the weights but not on the biases. Starts at zero and uses L-BFGS
 * with scikit-learn's stopping rules: mean cross-entropy + ‖W‖² / (2 · C · rows). Slow and synchronous, so run it in a
 * worker thread.
 * Source: scikit-learn `LogisticRegression(solver='lbfgs')` with three or more classes.
 * @param x [rows, width]
 * @param y class of each row, 0 … classes − 1; at least three classes
 */
export function fitLogistic(
  x: Float32Array,
  y: ArrayLike<number>,
  classes: number,
  { c = 1, maxIterations = 100, tolerance = 1e-4 }: LogisticOptions = {},
): LogisticModel {
  const width = x.length / y.length
  const objective = crossEntropy(Float64Array.from(x), y, classes, 1 / (c * y.length))
  const { x: parameters, ...rest }: Minimum = minimize(objective, new Float64Array(classes * (width + 1)), {
    maxIterations,
    gradientTolerance: tolerance,
    valueTolerance: 64 * Number.EPSILON,
    maxLineSearch: 50,
  })
  return { classes, parameters, iterations: rest.iterations, converged: rest.converged }
}

/** The class of largest score for each row of `x` [rows, width]; the first of equal ones. */
export function predictLogistic({ classes, parameters }: LogisticModel, x: Float32Array): Int32Array {
  const width = parameters.length / classes - 1
  const out = new Int32Array(x.length / width)
  const scores = new Float64Array(classes)
  for (let row = 0; row < out.length; row++) {
    rowScores(x, row * width, width, parameters, scores)
    for (let k = 1; k < classes; k++) if (scores[k]! > scores[out[row]!]!) out[row] = k
  }
  return out
}

/** Mean cross-entropy plus `l2 / 2 · ‖W‖²`, and its gradient. */
export function crossEntropy(x: Float64Array, y: ArrayLike<number>, classes: number, l2: number): Objective {
  const rows = y.length
  const width = x.length / rows
  const scores = new Float64Array(classes)
  return (parameters, gradient) => {
    gradient.fill(0)
    let loss = 0
    for (let row = 0; row < rows; row++) {
      rowScores(x, row * width, width, parameters, scores)
      loss += softmaxInPlace(scores, y[row]!)
      for (let k = 0; k < classes; k++) {
        const error = (scores[k]! - (k === y[row] ? 1 : 0)) / rows
        const to = k * (width + 1)
        const from = row * width
        for (let i = 0; i < width; i++) gradient[to + i]! += error * x[from + i]!
        gradient[to + width]! += error
      }
    }
    let squares = 0
    for (let k = 0; k < classes; k++) {
      const start = k * (width + 1)
      for (let i = start; i < start + width; i++) {
        squares += parameters[i]! * parameters[i]!
        gradient[i]! += l2 * parameters[i]!
      }
    }
    return loss / rows + 0.5 * l2 * squares
  }
}

/** Fills `scores` for the row of `x` that begins at `start`. */
function rowScores(
  x: Float32Array | Float64Array,
  start: number,
  width: number,
  parameters: Float64Array,
  scores: Float64Array,
): void {
  for (let k = 0; k < scores.length; k++) {
    const at = k * (width + 1)
    // Four sums, because a single one waits for every addition.
    let [a, b, c, d] = [0, 0, 0, 0]
    let i = 0
    for (; i + 3 < width; i += 4) {
      a += parameters[at + i]! * x[start + i]!
      b += parameters[at + i + 1]! * x[start + i + 1]!
      c += parameters[at + i + 2]! * x[start + i + 2]!
      d += parameters[at + i + 3]! * x[start + i + 3]!
    }
    for (; i < width; i++) a += parameters[at + i]! * x[start + i]!
    scores[k] = a + b + (c + d) + parameters[at + width]!
  }
}

/** Turns scores into probabilities and returns −log of the probability of `label`. */
function softmaxInPlace(scores: Float64Array, label: number): number {
  let most = Number.NEGATIVE_INFINITY
  for (let k = 0; k < scores.length; k++) most = Math.max(most, scores[k]!)
  let sum = 0
  const own = scores[label]! - most
  for (let k = 0; k < scores.length; k++) {
    scores[k] = Math.exp(scores[k]! - most)
    sum += scores[k]!
  }
  for (let k = 0; k < scores.length; k++) scores[k]! /= sum
  return Math.log(sum) - own
}
