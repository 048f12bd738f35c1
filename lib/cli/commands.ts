/** All commands, in the order of the help. A new one is a file beside this one and a line here. */
import { build } from './build.js'
import type { Command } from './command.js'
import { doctor } from './doctor.js'
import { encode } from './encode.js'
import { evaluate } from './evaluate.js'
import { init } from './init.js'
import { inspect } from './inspect.js'
import { install } from './install.js'
import { train } from './train.js'

export const commands: readonly Command[] = [init, train, evaluate, encode, inspect, doctor, build, install]
