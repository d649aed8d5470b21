import { useCallback } from 'react'
import { client } from '../api/client.ts'
import { nextCursor } from '../api/next-cursor.ts'
import { expectOk } from '../api/problem.ts'
import { type RequestState, useRequest } from '../api/use-request.ts'

/** A document in a list. */
export interface DocumentRow {
  readonly id: string
  /** The beginning of the document's JSON. */
  readonly preview: string
}

export interface DocumentPage {
  readonly documents: readonly DocumentRow[]
  /** Undefined on the last page. */
  readonly next: string | undefined
}

const pageSize = '20'
const maxPreview = 120

async function readDocuments(cursor: string | undefined, signal: AbortSignal): Promise<DocumentPage> {
  const query = { limit: pageSize, ...(cursor !== undefined && { cursor }) }
  const response = await expectOk(client.data.$get({ query }, { init: { signal } }))
  const documents = (await response.json()).map(({ id, ...members }) => ({
    id: String(id),
    preview: JSON.stringify(members).slice(0, maxPreview),
  }))
  return { documents, next: nextCursor(response.headers.get('link')) }
}

/** One page of documents. */
export function useDocuments(cursor: string | undefined): RequestState<DocumentPage> {
  return useRequest(useCallback((signal: AbortSignal) => readDocuments(cursor, signal), [cursor]))
}
