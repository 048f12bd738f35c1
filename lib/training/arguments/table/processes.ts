/** Arguments of a training by several processes. */
import { number } from '../../../options/kinds.js'
import { argument } from '../argument.js'

export const PROCESSES = {
  ddpTimeout: argument(
    number(1800, { above: 0, expected: 'a positive number of seconds' }),
    'Seconds after which a process that the others wait for counts as lost. See docs/distributed.md.',
    { isFree: true },
  ),
}
