/** Uploads a folder to the Hugging Face hub as one commit. */
import { openAsBlob } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { createRepo, HubApiError, uploadFiles } from '@huggingface/hub'
import { proxyFetch } from '#proxy'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { abortError, throwIfAborted } from './abort.js'

export interface UploadOptions {
  folder: string
  /** `owner/name` of a model. */
  repository: string
  /** Default `HF_TOKEN`. */
  token?: string | undefined
  branch?: string
  /** Of the commit. */
  title: string
  /** Make the repository if there is none; one that is there stays as it is. */
  create?: 'public' | 'private'
  signal?: AbortSignal
}

export interface Upload {
  /** The repository's page. */
  url: string
  commit: string
  files: string[]
}

/**
 * Files of `folder` that are not hidden, at any depth. Files that the repository has besides stay.
 * @throws ERR_INVALID_ARGUMENT, ERR_NOT_FOUND (repository or access), ERR_NETWORK, ERR_ABORTED
 */
export async function uploadModel(options: UploadOptions): Promise<Upload> {
  const { folder, repository, title, branch = 'main', create, signal } = options
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository) || repository.includes('..') || repository.includes('--')) {
    throw invalidArgument('the repository', 'owner/name', repository)
  }
  const accessToken = (options.token || process.env.HF_TOKEN)?.trim()
  if (!accessToken?.startsWith('hf_')) {
    const message =
      'Uploading needs an access token that may write, in HF_TOKEN: https://huggingface.co/settings/tokens'
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const hubUrl = (process.env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '')
  const files = await filesIn(folder)
  const repo = { type: 'model', name: repository } as const
  const access = { repo, accessToken, hubUrl, fetch: proxyFetch as typeof fetch }
  const what = `Uploading ${folder} to ${repository}`
  throwIfAborted(signal, what)
  try {
    if (create) await createUnlessThere({ ...access, visibility: create })
    const contents = await Promise.all(
      files.map(async (path) => ({ path: path.split(sep).join('/'), content: await openAsBlob(join(folder, path)) })),
    )
    const commit = await uploadFiles({
      ...{ ...access, files: contents, commitTitle: title, branch, useXet: false },
      ...(signal && { abortSignal: signal }),
    })
    return { url: `${hubUrl}/${repository}`, commit: commit!.commit.oid, files: contents.map(({ path }) => path) }
  } catch (error) {
    if (signal?.aborted) throw abortError(signal, what)
    throw told(error, repository, hubUrl)
  }
}

async function createUnlessThere(request: Parameters<typeof createRepo>[0]): Promise<void> {
  await createRepo(request).catch((error: unknown) => {
    if (!(error instanceof HubApiError && error.statusCode === 409)) throw error
  })
}

/** Paths of the files, relative to the folder. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const shown = names.filter((name) => !name.split(sep).some((part) => part.startsWith('.'))).sort()
  const kinds = await Promise.all(shown.map((name) => stat(join(folder, name))))
  return shown.filter((_, i) => kinds[i]!.isFile())
}

/** Errors of the hub's client hold no header, and so no token. */
function told(error: unknown, repository: string, hubUrl: string): unknown {
  if (error instanceof HubApiError) {
    const { statusCode, message } = error
    if (statusCode === 404) {
      const text = `There is no model ${repository} on ${hubUrl}, or HF_TOKEN may not see it; --create makes it`
      return new SentenceTorchError('ERR_NOT_FOUND', text, { cause: error })
    }
    if (statusCode === 401 || statusCode === 403) {
      const text = `${hubUrl} does not let HF_TOKEN write to ${repository} (status ${statusCode}): it needs a token with write access`
      return new SentenceTorchError('ERR_NOT_FOUND', text, { cause: error })
    }
    return new SentenceTorchError('ERR_NETWORK', `${hubUrl} refused the upload (status ${statusCode}): ${message}`, {
      cause: error,
    })
  }
  if (error instanceof TypeError && error.message === 'fetch failed') {
    const { cause } = error as { cause?: { message?: string } }
    return new SentenceTorchError('ERR_NETWORK', `${hubUrl} cannot be reached: ${cause?.message ?? error.message}`, {
      cause: error,
    })
  }
  return error
}
