/**
 * The line search of J. J. Moré and D. J. Thuente (ACM TOMS 20, 1994), as in MINPACK-2's `dcsrch`: finds a step that
 * decreases the function and its slope enough. `LineSearch` proposes steps, and the caller evaluates them.
 */
import { type Bracket, nextStep } from './line-step.js'

export interface LineSearchOptions {
  /** Sufficient decrease: f(step) ≤ f(0) + decrease · step · f'(0). */
  decrease: number
  /** Sufficient curvature: |f'(step)| ≤ curvature · |f'(0)|. */
  curvature: number
  /** Relative width of the bracket below which the search gives up. */
  width: number
  min: number
  max: number
}

export class LineSearch {
  step: number
  /** Whether the search has ended, with or without success. The function has been evaluated at `step` then. */
  done = false
  readonly #options: LineSearchOptions
  readonly #f0: number
  readonly #slope0: number
  readonly #test: number
  readonly #bracket: Bracket
  #isFirstStage = true
  #low = 0
  #high: number
  #width: number
  #widthBefore: number

  /**
   * @param f0 the function at 0
   * @param slope0 its derivative at 0, which is negative
   */
  constructor(step: number, f0: number, slope0: number, options: LineSearchOptions) {
    this.step = step
    this.#options = options
    this.#f0 = f0
    this.#slope0 = slope0
    this.#test = options.decrease * slope0
    this.#bracket = { x: 0, fx: f0, dx: slope0, y: 0, fy: f0, dy: slope0, step, closed: false }
    this.#high = 5 * step
    this.#width = options.max - options.min
    this.#widthBefore = 2 * this.#width
  }

  /** Takes the function and its derivative at `step`; either the search is `done` or `step` is the next to try. */
  tell(f: number, slope: number): void {
    const { decrease: _, curvature, width, min, max } = this.#options
    const bracket = this.#bracket
    const enough = this.#f0 + this.step * this.#test
    if (this.#isFirstStage && f <= enough && slope >= 0) this.#isFirstStage = false
    if (
      (bracket.closed && (this.step <= this.#low || this.step >= this.#high || this.#isNarrow(width))) ||
      (this.step === max && f <= enough && slope <= this.#test) ||
      (this.step === min && (f > enough || slope >= this.#test)) ||
      (f <= enough && Math.abs(slope) <= curvature * -this.#slope0)
    ) {
      this.done = true
      return
    }
    bracket.step = this.step
    if (this.#isFirstStage && f <= bracket.fx && f > enough) this.#stepOfModified(f, slope)
    else nextStep(bracket, f, slope, this.#low, this.#high)
    let { step } = bracket
    if (bracket.closed) {
      const size = Math.abs(bracket.y - bracket.x)
      if (size >= 0.66 * this.#widthBefore) step = bracket.x + 0.5 * (bracket.y - bracket.x)
      this.#widthBefore = this.#width
      this.#width = size
      this.#low = Math.min(bracket.x, bracket.y)
      this.#high = Math.max(bracket.x, bracket.y)
    } else {
      this.#low = step + 1.1 * (step - bracket.x)
      this.#high = step + 4 * (step - bracket.x)
    }
    step = Math.min(Math.max(step, min), max)
    // No further progress, so the best point so far is evaluated again.
    if (bracket.closed && (step <= this.#low || step >= this.#high || this.#isNarrow(width))) step = bracket.x
    this.step = step
  }

  #isNarrow(width: number): boolean {
    return this.#high - this.#low <= width * this.#high
  }

  /** The next step by f(step) − decrease · step · f'(0), while no step has lowered the function enough. */
  #stepOfModified(f: number, slope: number): void {
    const test = this.#test
    const bracket = this.#bracket
    const step = bracket.step
    bracket.fx -= bracket.x * test
    bracket.fy -= bracket.y * test
    bracket.dx -= test
    bracket.dy -= test
    nextStep(bracket, f - step * test, slope - test, this.#low, this.#high)
    bracket.fx += bracket.x * test
    bracket.fy += bracket.y * test
    bracket.dx += test
    bracket.dy += test
  }
}
