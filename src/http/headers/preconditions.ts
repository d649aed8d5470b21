import type { Condition, VersionSet } from '../../documents/document-store.ts'
import { ProblemError } from '../problem.ts'
import { tagVersion } from './etag.ts'
import { parseList } from './field-scanner.ts'

/**
 * Reads the preconditions of a request for one document (RFC 9110 §13.1). `unmetCondition` of the store evaluates them, for
 * a write within the write itself.
 *
 * - If-Match compares strongly: a weak tag names no version.
 * - If-None-Match compares weakly: proxies weaken a tag when they compress a response.
 * - If-Modified-Since and If-Unmodified-Since are ignored, as §13.1.3 and §13.1.4 demand for a resource without a
 *   modification date: documents have no Last-Modified.
 *
 * @throws ProblemError for a list that is malformed. Only a reader's If-None-Match is ignored then: a whole document is a
 *   right response to it, and a write that ignored it could destroy something.
 */
export function parsePreconditions(method: string, headers: Headers): Condition {
  const isRead = method === 'GET' || method === 'HEAD'
  const ifMatch = headers.get('if-match')
  const ifNoneMatch = headers.get('if-none-match')
  return {
    ifMatch: ifMatch === null ? undefined : (parseVersions(ifMatch, false) ?? refuse('If-Match')),
    ifNoneMatch:
      ifNoneMatch === null
        ? undefined
        : (parseVersions(ifNoneMatch, true) ?? (isRead ? undefined : refuse('If-None-Match'))),
  }
}

/**
 * The versions that a list of entity tags names, or `*` for any.
 *
 * @param acceptsWeak whether a weak tag names its version
 * @returns undefined for a malformed list
 */
function parseVersions(value: string, acceptsWeak: boolean): VersionSet | undefined {
  if (/^[\t ]*\*[\t ]*$/.test(value)) return '*'
  const tags = parseList(value, (scanner) => scanner.entityTag())
  return tags?.filter(({ isWeak }) => acceptsWeak || !isWeak).map(({ opaque }) => tagVersion(opaque))
}

function refuse(field: string): never {
  throw new ProblemError({
    code: 'invalid-header',
    detail: `${field} must be * or a list of entity tags, such as "a", "b".`,
  })
}
