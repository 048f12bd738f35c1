import type { Pieces } from '../../data/time-slice.js'

/** A symmetric matrix as a product: `vectors` · diag(`values`) · `vectors`ᵀ. */
export interface Eigen {
  /** In rising order. */
  values: Float64Array
  /** [width, width], an eigenvector in each column. */
  vectors: Float64Array
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to three diagonals, then QL with implicit shifts.
 * Source: EISPACK `tred2` and `tql2` (Bowdler, Martin, Reinsch and Wilkinson, 1968), in the form of JAMA.
 * @param matrix [n, n], which becomes the eigenvectors
 */
export function* symmetricEigen(matrix: Float64Array, n: number): Pieces<never, Eigen> {
  const d = new Float64Array(n)
  const e = new Float64Array(n)
  yield* tridiagonalize(matrix, d, e, n)
  yield* diagonalize(matrix, d, e, n)
  const order = Array.from(d.keys()).sort((a, b) => d[a]! - d[b]!)
  const vectors = new Float64Array(n * n)
  for (let row = 0; row < n; row++) {
    for (let k = 0; k < n; k++) vectors[row * n + k] = matrix[row * n + order[k]!]!
  }
  return { values: Float64Array.from(order, (k) => d[k]!), vectors }
}

/** `d` becomes the diagonal, `e` what stands below it, `v` the product of the reflections. */
function* tridiagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): Pieces {
  const last = (n - 1) * n
  for (let j = 0; j < n; j++) d[j] = v[last + j]!
  for (let i = n - 1; i > 0; i--) {
    yield
    let [scale, h] = [0, 0]
    for (let k = 0; k < i; k++) scale += Math.abs(d[k]!)
    if (scale === 0) {
      e[i] = d[i - 1]!
      for (let j = 0; j < i; j++) {
        d[j] = v[(i - 1) * n + j]!
        v[i * n + j] = 0
        v[j * n + i] = 0
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k]! /= scale
        h += d[k]! * d[k]!
      }
      let f = d[i - 1]!
      let g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h)
      e[i] = scale * g
      h -= f * g
      d[i - 1] = f - g
      e.fill(0, 0, i)
      for (let j = 0; j < i; j++) {
        f = d[j]!
        v[j * n + i] = f
        g = e[j]! + v[j * n + j]! * f
        for (let k = j + 1; k < i; k++) {
          g += v[k * n + j]! * d[k]!
          e[k]! += v[k * n + j]! * f
        }
        e[j] = g
      }
      f = 0
      for (let j = 0; j < i; j++) {
        e[j]! /= h
        f += e[j]! * d[j]!
      }
      const half = f / (h + h)
      for (let j = 0; j < i; j++) e[j]! -= half * d[j]!
      for (let j = 0; j < i; j++) {
        f = d[j]!
        g = e[j]!
        for (let k = j; k < i; k++) v[k * n + j]! -= f * e[k]! + g * d[k]!
        d[j] = v[(i - 1) * n + j]!
        v[i * n + j] = 0
      }
    }
    d[i] = h
  }
  for (let i = 0; i < n - 1; i++) {
    yield
    v[last + i] = v[i * n + i]!
    v[i * n + i] = 1
    const h = d[i + 1]!
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[k * n + i + 1]! / h
      for (let j = 0; j <= i; j++) {
        let g = 0
        for (let k = 0; k <= i; k++) g += v[k * n + i + 1]! * v[k * n + j]!
        for (let k = 0; k <= i; k++) v[k * n + j]! -= g * d[k]!
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[last + j]!
    v[last + j] = 0
  }
  v[n * n - 1] = 1
  e[0] = 0
}

/** `d` becomes the eigenvalues, and the columns of `v` the eigenvectors. */
function* diagonalize(v: Float64Array, d: Float64Array, e: Float64Array, n: number): Pieces {
  e.copyWithin(0, 1)
  e[n - 1] = 0
  let [shift, size] = [0, 0]
  for (let l = 0; l < n; l++) {
    size = Math.max(size, Math.abs(d[l]!) + Math.abs(e[l]!))
    let m = l
    while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * size) m++
    while (m > l && Math.abs(e[l]!) > Number.EPSILON * size) {
      yield
      let g = d[l]!
      let p = (d[l + 1]! - g) / (2 * e[l]!)
      let r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1)
      d[l] = e[l]! / (p + r)
      d[l + 1] = e[l]! * (p + r)
      const next = d[l + 1]!
      let h = g - d[l]!
      for (let i = l + 2; i < n; i++) d[i]! -= h
      shift += h
      p = d[m]!
      let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0]
      const below = e[l + 1]!
      for (let i = m - 1; i >= l; i--) {
        ;[c3, c2, s2] = [c2, c, s]
        g = c * e[i]!
        h = c * p
        r = Math.hypot(p, e[i]!)
        e[i + 1] = s * r
        s = e[i]! / r
        c = p / r
        p = c * d[i]! - s * g
        d[i + 1] = h + s * (c * g + s * d[i]!)
        for (let at = i; at < n * n; at += n) {
          h = v[at + 1]!
          v[at + 1] = s * v[at]! + c * h
          v[at] = c * v[at]! - s * h
        }
      }
      p = (-s * s2 * c3 * below * e[l]!) / next
      e[l] = s * p
      d[l] = c * p
    }
    d[l]! += shift
    e[l] = 0
  }
}
