/** An interval that holds a minimum: the best point x and the other end y, each with function value and derivative. */
export interface Bracket {
  x: number
  fx: number
  dx: number
  y: number
  fy: number
  dy: number
  /** The last evaluated point; then the next one. */
  step: number
  /** Whether a minimum lies between x and y. */
  closed: boolean
}

/**
 * The next step by cubic and quadratic interpolation, safeguarded, and the bracket that goes with it.
 * Source: MINPACK-2 `dcstep`.
 * @param f the function at `bracket.step`
 * @param d its derivative there
 */
export function nextStep(bracket: Bracket, f: number, d: number, low: number, high: number): void {
  const { x, fx, dx, y, fy, dy, step } = bracket
  const opposite = Math.sign(d) * Math.sign(dx) < 0
  let next: number
  if (f > fx) {
    // Higher: a minimum lies between. Takes the cubic step if it is nearer to x, else the middle of both.
    const { theta, gamma } = cubic(x, fx, dx, step, f, d)
    const root = step < x ? -gamma : gamma
    const byCubic = x + ((root - dx + theta) / (root - dx + root + d)) * (step - x)
    const byQuadratic = x + (dx / ((fx - f) / (step - x) + dx) / 2) * (step - x)
    next = Math.abs(byCubic - x) <= Math.abs(byQuadratic - x) ? byCubic : byCubic + (byQuadratic - byCubic) / 2
    bracket.closed = true
  } else if (opposite) {
    // Lower, and the derivative changed its sign: a minimum lies between. Takes the farther of cubic and secant step.
    const { theta, gamma } = cubic(x, fx, dx, step, f, d)
    const root = step > x ? -gamma : gamma
    const byCubic = step + ((root - d + theta) / (root - d + root + dx)) * (x - step)
    const bySecant = step + (d / (d - dx)) * (x - step)
    next = Math.abs(byCubic - step) > Math.abs(bySecant - step) ? byCubic : bySecant
    bracket.closed = true
  } else if (Math.abs(d) < Math.abs(dx)) {
    next = flatter(bracket, f, d, low, high)
  } else if (bracket.closed) {
    const { theta, gamma } = cubic(y, fy, dy, step, f, d)
    const root = step > y ? -gamma : gamma
    next = step + ((root - d + theta) / (root - d + root + dy)) * (y - step)
  } else {
    next = step > x ? high : low
  }
  if (f > fx) Object.assign(bracket, { y: step, fy: f, dy: d })
  else {
    if (opposite) Object.assign(bracket, { y: x, fy: fx, dy: dx })
    Object.assign(bracket, { x: step, fx: f, dx: d })
  }
  bracket.step = next
}

/** Lower, the same sign, and flatter: the cubic may have no minimum in this direction. */
function flatter({ x, fx, dx, y, step, closed }: Bracket, f: number, d: number, low: number, high: number): number {
  const { theta, gamma } = cubic(x, fx, dx, step, f, d)
  const root = step > x ? -gamma : gamma
  const ratio = (root - d + theta) / (root + (dx - d) + root)
  const limit = step > x ? high : low
  const byCubic = ratio < 0 && root !== 0 ? step + ratio * (x - step) : limit
  const bySecant = step + (d / (d - dx)) * (x - step)
  const cubicIsNearer = Math.abs(byCubic - step) < Math.abs(bySecant - step)
  if (closed) {
    const next = cubicIsNearer ? byCubic : bySecant
    const bound = step + 0.66 * (y - step)
    return step > x ? Math.min(bound, next) : Math.max(bound, next)
  }
  const next = Math.abs(byCubic - step) > Math.abs(bySecant - step) ? byCubic : bySecant
  return Math.min(Math.max(next, low), high)
}

/** θ and γ of the cubic through the points a and b with their derivatives, scaled so that nothing overflows. */
function cubic(a: number, fa: number, da: number, b: number, fb: number, db: number) {
  const theta = (3 * (fa - fb)) / (b - a) + da + db
  const scale = Math.max(Math.abs(theta), Math.abs(da), Math.abs(db))
  const gamma = scale * Math.sqrt(Math.max(0, (theta / scale) ** 2 - (da / scale) * (db / scale)))
  return { theta, gamma }
}
