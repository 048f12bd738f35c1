/** All commands, in the order of the help. A new one is a file beside this one and a line here. */
import { build } from './build.js'
import { classify } from './classify.js'
import type { Command } from './command.js'
import { compare } from './compare.js'
import { doctor } from './doctor.js'
import { encode } from './encode.js'
import { evaluate } from './evaluate.js'
import { exportCommand } from './export.js'
import { generateQueries } from './generate-queries.js'
import { importLabels } from './import-labels.js'
import { index } from './index-command.js'
import { init } from './init.js'
import { inspect } from './inspect.js'
import { install } from './install.js'
import { label } from './label.js'
import { merge } from './merge.js'
import { mergeIndex } from './merge-index.js'
import { mine } from './mine.js'
import { parity } from './parity.js'
import { pull } from './pull.js'
import { push } from './push.js'
import { quantize } from './quantize.js'
import { report } from './report.js'
import { search } from './search.js'
import { serve } from './serve.js'
import { train } from './train.js'

export const commands: readonly Command[] = [
  ...[init, train, evaluate],
  ...[report, compare],
  ...[encode, index, mergeIndex, search, serve, quantize],
  ...[classify, mine, importLabels, label, generateQueries, merge],
  ...[inspect, parity, exportCommand, pull, push],
  ...[doctor, build, install],
]
