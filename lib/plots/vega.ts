// The only module that knows Vega: an entry of its own in the bundle, read when something is drawn for the first time.
import { parse, View } from 'vega'
import { expressionInterpreter } from 'vega-interpreter'
import { compile, type TopLevelSpec } from 'vega-lite'

/**
 * The SVG text of a specification of Vega-Lite. Its expressions are interpreted, so that no code is made of texts.
 * @param spec with its data inside; nothing is fetched
 */
export async function renderSvg(spec: object): Promise<string> {
  const runtime = parse(compile(spec as TopLevelSpec).spec, undefined, { ast: true })
  const view = new View(runtime, { renderer: 'none', expr: expressionInterpreter })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
