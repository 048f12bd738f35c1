import type { Command } from './command.js'

export const report: Command = {
  name: 'report',
  summary: 'makes a page of a run, or one page that compares several',
  arguments: [
    { name: 'run', help: 'the folder of a run (outputDir of its config); several are compared', isMany: true },
  ],
  options: {
    output: {
      type: 'string',
      value: 'file.html',
      help: 'where a comparison goes',
      fallback: 'comparison.html; a single run has its report.html',
    },
    json: { type: 'boolean', help: 'the path of the page as one JSON object' },
  },
  notes: 'A page is one HTML file that loads nothing. It can be made while a run goes on.',
  examples: [
    ['npx sentence-torch report runs/a', 'writes runs/a/report.html'],
    ['npx sentence-torch report runs/a runs/b runs/c --output abc.html', 'three runs on one page'],
  ],
  async run(values, io) {
    const { makeReport } = await import('./make-report.js')
    return makeReport(values, io)
  },
}
