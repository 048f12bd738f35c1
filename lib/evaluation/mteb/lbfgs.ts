import { LineSearch } from './line-search.js'

/** Returns the value at `x` and fills `gradient`. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number

export interface LbfgsOptions {
  maxIterations: number
  /** Stops when no entry of the gradient is larger. */
  gradientTolerance: number
  /** Stops when the value decreases by less than this fraction of it. */
  valueTolerance: number
  /** Limit of steps in one line search. */
  maxLineSearch: number
}

export interface Minimum {
  x: Float64Array
  value: number
  iterations: number
  /** Whether one of the two tolerances was met. */
  converged: boolean
}

/** Pairs of steps and gradient changes that approximate the curvature. */
const MEMORY = 10
const STEP_MAX = 1e10

/**
 * L-BFGS-B without bounds, with the line search, the scaling of the first step, the stopping rules and the restarts of
 * scipy, so that it takes scipy's steps. Changes `x`.
 * Paper: Byrd, Lu, Nocedal and Zhu 1995. Source: scipy `minimize(method='L-BFGS-B')`.
 */
export function minimize(objective: Objective, x: Float64Array, options: LbfgsOptions): Minimum {
  const n = x.length
  const gradient = new Float64Array(n)
  const history: { s: Float64Array; y: Float64Array; sy: number }[] = []
  const [start, gradientBefore] = [new Float64Array(n), new Float64Array(n)]
  let value = objective(x, gradient)
  let iterations = 0
  const result = (converged: boolean): Minimum => ({ x, value, iterations, converged })
  if (largest(gradient) <= options.gradientTolerance) return result(true)
  for (;;) {
    const direction = newtonDirection(gradient, history)
    start.set(x)
    gradientBefore.set(gradient)
    const [valueBefore, slopeBefore] = [value, dot(gradient, direction)]
    let slope = slopeBefore
    const first = iterations === 0 ? Math.min(1 / Math.sqrt(dot(direction, direction)), STEP_MAX) : 1
    const search = new LineSearch(first, value, slope, {
      ...{ decrease: 1e-3, curvature: 0.9, width: 0.1 },
      ...{ min: 0, max: STEP_MAX },
    })
    let evaluations = 0
    // An ascending direction is handled like a failed search.
    let failed = slope >= 0
    while (!failed && !search.done) {
      if (evaluations === options.maxLineSearch) failed = true
      else {
        for (let i = 0; i < n; i++) x[i] = start[i]! + search.step * direction[i]!
        value = objective(x, gradient)
        slope = dot(gradient, direction)
        evaluations++
        search.tell(value, slope)
      }
    }
    if (failed) {
      x.set(start)
      gradient.set(gradientBefore)
      value = valueBefore
      if (history.length === 0) return result(false)
      history.length = 0
      continue
    }
    iterations++
    if (iterations >= options.maxIterations) return result(largest(gradient) <= options.gradientTolerance)
    if (largest(gradient) <= options.gradientTolerance) return result(true)
    const scale = Math.max(Math.abs(valueBefore), Math.abs(value), 1)
    if (valueBefore - value <= options.valueTolerance * scale) return result(true)
    const sy = (slope - slopeBefore) * search.step
    // Too little curvature gives no information.
    if (sy <= Number.EPSILON * -slopeBefore * search.step) continue
    if (history.length === MEMORY) history.shift()
    const s = direction.map((d) => d * search.step)
    history.push({ s, y: gradient.map((g, i) => g - gradientBefore[i]!), sy })
  }
}

/** −H · gradient, where H is the inverse curvature of the history (two loops). */
function newtonDirection(
  gradient: Float64Array,
  history: readonly { s: Float64Array; y: Float64Array; sy: number }[],
): Float64Array {
  const out = gradient.map((g) => -g)
  const last = history.at(-1)
  if (last === undefined) return out
  const factors = new Float64Array(history.length)
  for (let k = history.length - 1; k >= 0; k--) {
    const { s, y, sy } = history[k]!
    factors[k] = dot(s, out) / sy
    for (let i = 0; i < out.length; i++) out[i]! -= factors[k]! * y[i]!
  }
  const scale = last.sy / dot(last.y, last.y)
  for (let i = 0; i < out.length; i++) out[i]! *= scale
  for (const [k, { s, y, sy }] of history.entries()) {
    const factor = factors[k]! - dot(y, out) / sy
    for (let i = 0; i < out.length; i++) out[i]! += factor * s[i]!
  }
  return out
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** The largest absolute entry. */
function largest(values: Float64Array): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!))
  return most
}
