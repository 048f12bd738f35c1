import { dotOf, inStrides, type MergeMethod, roundingOf } from './method.js'

/** Beyond this cosine the arc is a line, as numbers round. */
const LINE = 0.9995

/**
 * The point at `t` of the arc from the base (t = 0) to the other model (t = 1), of each tensor as one vector θ apart:
 * (sin((1 − t)θ) b + sin(tθ) x) / sin θ; on a line where the two are nearly parallel. Source: Shoemake 1985.
 */
export const slerp: MergeMethod = {
  base: 'required',
  least: 2,
  most: 2,
  parameters: { t: 0.5 },
  async merge({ models: [other], base }, { t }, slice) {
    const [bb, xx, bx] = [
      await dotOf(base!, base!, slice),
      await dotOf(other!, other!, slice),
      await dotOf(base!, other!, slice),
    ]
    // A tensor of zeros has no direction: it counts as orthogonal.
    const cosine = bb === 0 || xx === 0 ? 0 : Math.max(-1, Math.min(1, bx / Math.sqrt(bb) / Math.sqrt(xx)))
    const [ofBase, ofOther] = sharesOf(cosine, t).map(roundingOf(other!))
    await inStrides(other!.length, slice, (start, end) => {
      for (let i = start; i < end; i++) other![i] = base![i]! * ofBase! + other![i]! * ofOther!
    })
    return other!
  },
}

function sharesOf(cosine: number, t: number): [base: number, other: number] {
  if (Math.abs(cosine) > LINE) return [1 - t, t]
  const angle = Math.acos(cosine)
  return [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)]
}
