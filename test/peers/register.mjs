// node --import test/peers/register.mjs program.mjs: `import` finds what `npm run peers` has installed here, as if it were installed
// beside the program.
import { register } from 'node:module'

register('./hook.mjs', import.meta.url)
