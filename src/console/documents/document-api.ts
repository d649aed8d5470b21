import { type AnyResponse, client } from '../api/client.ts'
import { expectOk } from '../api/problem.ts'

/** A document as text, so that its numbers keep all their digits, with the version that was read. */
export interface StoredDocument {
  readonly id: string
  readonly text: string
  readonly etag: string
}

/** What the client would send: the text of the user is sent instead, as it is. */
const placeholder = {}

const sendText = (body: string, headers: Record<string, string> = {}) => ({
  headers: { 'content-type': 'application/json', ...headers },
  init: { body },
})

async function toStored(id: string, response: AnyResponse): Promise<StoredDocument> {
  return { id, text: await response.text(), etag: response.headers.get('etag') ?? '' }
}

/** @throws RequestFailed, as all functions here */
export async function readDocument(id: string, signal: AbortSignal): Promise<StoredDocument> {
  return toStored(id, await expectOk(client.data[':id'].$get({ param: { id } }, { init: { signal } })))
}

/** @returns the id of the new document */
export async function createDocument(text: string): Promise<string> {
  const response = await expectOk(client.data.$post({ json: placeholder }, sendText(text)))
  return String((await response.json()).item.id)
}

/** Replaces the version that was read, and no other one. */
export async function replaceDocument({ id, text, etag }: StoredDocument): Promise<StoredDocument> {
  const response = await expectOk(
    client.data[':id'].$put({ param: { id }, json: placeholder }, sendText(text, { 'if-match': etag })),
  )
  return toStored(id, response)
}

/** Deletes the version that was read, and no other one. */
export async function deleteDocument({ id, etag }: StoredDocument): Promise<void> {
  await expectOk(client.data[':id'].$delete({ param: { id } }, { headers: { 'if-match': etag } }))
}
