import { type AnyResponse, client } from '../api/client.ts'
import { expectOk } from '../api/problem.ts'

/** A document as text, which preserves all digits of its numbers, with the version that was read. */
export interface StoredDocument {
  readonly id: string
  readonly text: string
  readonly etag: string
}

/** Prevents the client from serializing the body: the user's text is sent unchanged. */
const placeholder = {}

const sendText = (body: string, headers: Record<string, string> = {}) => ({
  headers: { 'content-type': 'application/json', ...headers },
  init: { body },
})

async function toStored(id: string, response: AnyResponse): Promise<StoredDocument> {
  return { id, text: await response.text(), etag: response.headers.get('etag') ?? '' }
}

/** @throws RequestFailed, like all functions here */
export async function readDocument(id: string, signal: AbortSignal): Promise<StoredDocument> {
  return toStored(id, await expectOk(client.data[':id'].$get({ param: { id } }, { init: { signal } })))
}

/** @returns the id of the new document */
export async function createDocument(text: string): Promise<string> {
  const response = await expectOk(client.data.$post({ json: placeholder }, sendText(text)))
  return String((await response.json()).item.id)
}

/** Replaces a document only in the version that was read. */
export async function replaceDocument({ id, text, etag }: StoredDocument): Promise<StoredDocument> {
  const response = await expectOk(
    client.data[':id'].$put({ param: { id }, json: placeholder }, sendText(text, { 'if-match': etag })),
  )
  return toStored(id, response)
}

/** Deletes a document only in the version that was read. */
export async function deleteDocument({ id, etag }: StoredDocument): Promise<void> {
  await expectOk(client.data[':id'].$delete({ param: { id } }, { headers: { 'if-match': etag } }))
}
