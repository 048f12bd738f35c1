import { linear } from './linear.js'
import type { MergeMethod } from './method.js'
import { modelStock } from './model-stock.js'
import { slerp } from './slerp.js'
import { taskArithmetic, ties } from './task-vectors.js'

/** The methods by the names that they have in Python. */
export const METHODS = {
  linear,
  slerp,
  task_arithmetic: taskArithmetic,
  ties,
  model_stock: modelStock,
} satisfies Record<string, MergeMethod>

export type MergeMethodName = keyof typeof METHODS

/** Methods of Python that are not built. */
export const METHODS_NOT_BUILT = (
  'arcee_fusion breadcrumbs breadcrumbs_ties dare_linear dare_ties della della_linear karcher multislerp nearswap nuslerp ram ' +
  'ramplus_tl sce'
).split(' ')
