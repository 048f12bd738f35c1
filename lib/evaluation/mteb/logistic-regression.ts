import { type Minimum, minimize, type Objective } from './lbfgs.js'

export interface LogisticOptions {
  /** Inverse strength of the L2 penalty. Default 1. */
  c?: number
  /** Default 100. */
  maxIterations?: number
  /** Default 1e-4. */
  tolerance?: number
}

/** A linear classifier: class k scores `weight[k] · x + bias[k]`. Of two classes, the second alone has a score, and the first has 0. */
export interface LogisticModel {
  classes: number
  /** [classes, width + 1], or [1, width + 1] for two classes: the weights of a class, then its bias. */
  parameters: Float64Array
  iterations: number
  converged: boolean
}

/**
 * Logistic regression (multinomial for three classes or more) with an L2 penalty on the weights but not on the biases. Starts at
 * zero and uses L-BFGS with scikit-learn's stopping rules: mean cross-entropy + ‖W‖² / (2 · C · rows). Slow and synchronous, so
 * run it in a worker thread.
 * Source: scikit-learn `LogisticRegression(solver='lbfgs')`.
 * @param x [rows, width]
 * @param y class of each row, 0 … classes − 1; at least two classes
 */
export function fitLogistic(
  x: Float32Array,
  y: ArrayLike<number>,
  classes: number,
  { c = 1, maxIterations = 100, tolerance = 1e-4 }: LogisticOptions = {},
): LogisticModel {
  const width = x.length / y.length
  const objective = crossEntropy(Float64Array.from(x), y, classes, 1 / (c * y.length))
  const { x: parameters, ...rest }: Minimum = minimize(objective, new Float64Array(scoresOf(classes) * (width + 1)), {
    maxIterations,
    gradientTolerance: tolerance,
    valueTolerance: 64 * Number.EPSILON,
    maxLineSearch: 50,
  })
  return { classes, parameters, iterations: rest.iterations, converged: rest.converged }
}

/** Classes that have a score of their own. */
function scoresOf(classes: number): number {
  return classes === 2 ? 1 : classes
}

type Classifier = Pick<LogisticModel, 'classes' | 'parameters'>

/** The class of largest score for each row of `x` [rows, width]; the first of equal ones. */
export function predictLogistic(model: Classifier, x: Float32Array): Int32Array {
  const width = model.parameters.length / scoresOf(model.classes) - 1
  const out = new Int32Array(x.length / width)
  const scores = new Float64Array(model.classes)
  for (let row = 0; row < out.length; row++) {
    classScores(model, x, row * width, width, scores)
    for (let k = 1; k < model.classes; k++) if (scores[k]! > scores[out[row]!]!) out[row] = k
  }
  return out
}

/** The probability of each class for each row of `x` [rows, width]: [rows, classes]. */
export function logisticProbabilities(model: Classifier, x: Float32Array): Float64Array {
  const width = model.parameters.length / scoresOf(model.classes) - 1
  const out = new Float64Array((x.length / width) * model.classes)
  for (let start = 0, row = 0; start < out.length; start += model.classes, row++) {
    const scores = out.subarray(start, start + model.classes)
    classScores(model, x, row * width, width, scores)
    softmaxInPlace(scores, 0)
  }
  return out
}

function classScores(model: Classifier, x: Float32Array, start: number, width: number, out: Float64Array): void {
  out[0] = 0
  rowScores(x, start, width, model.parameters, model.classes === 2 ? out.subarray(1) : out)
}

/** Mean cross-entropy plus `l2 / 2 · ‖W‖²`, and its gradient. */
export function crossEntropy(x: Float64Array, y: ArrayLike<number>, classes: number, l2: number): Objective {
  const rows = y.length
  const width = x.length / rows
  const scores = new Float64Array(classes)
  // The parameters begin with those of this class.
  const first = classes - scoresOf(classes)
  const own = scores.subarray(first)
  return (parameters, gradient) => {
    gradient.fill(0)
    let loss = 0
    for (let row = 0; row < rows; row++) {
      scores[0] = 0
      rowScores(x, row * width, width, parameters, own)
      loss += softmaxInPlace(scores, y[row]!)
      for (let k = 0; k < own.length; k++) {
        const error = (own[k]! - (k + first === y[row] ? 1 : 0)) / rows
        const to = k * (width + 1)
        const from = row * width
        for (let i = 0; i < width; i++) gradient[to + i]! += error * x[from + i]!
        gradient[to + width]! += error
      }
    }
    let squares = 0
    for (let start = 0; start < parameters.length; start += width + 1) {
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
