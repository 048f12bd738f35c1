import { invalidArgument, SentenceTorchError, suggestion } from '../errors.js'

/** For constructors, which in Python load: here only `load` can, as it has to wait. @throws ERR_INVALID_ARGUMENT */
export function checkLoaded(name: string, parts: { encoder: unknown } | undefined): void {
  if (parts?.encoder !== undefined) return
  const from = typeof parts === 'string' ? JSON.stringify(parts) : '…'
  throw new SentenceTorchError(
    'ERR_INVALID_ARGUMENT',
    `new ${name}(${from}) loads nothing: use await ${name}.load(${from})`,
  )
}

/** The error for a prompt that the model does not have. */
export function noSuchPrompt(option: string, name: string, prompts: Record<string, string>): SentenceTorchError {
  const near = suggestion(name, Object.keys(prompts))
  const hint = near ? `; did you mean ${near}?` : ''
  return invalidArgument(option, `one of the model's prompts (${Object.keys(prompts).join(', ')})${hint}`, name)
}
