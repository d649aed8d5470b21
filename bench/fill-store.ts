import type { DocumentStore } from '../src/documents/document-store.ts'

/** Clients that create at the same time, each one document after the other. */
const writers = 128

/** What filling took, and where the documents are. */
export interface Filled {
  readonly seconds: number
  /** Of all documents, in order of creation. */
  readonly positions: readonly string[]
}

/** Creates documents through the port, all of nearly the same length, so that every page has as much to carry. */
export async function fillStore(store: DocumentStore, documents: number): Promise<Filled> {
  const positions: string[] = []
  let next = 0
  const writer = async () => {
    while (next < documents) {
      const id = Bun.randomUUIDv7()
      const body = documentText({ id, n: next++ })
      positions.push((await store.create({ id, body })).document.position)
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: writers }, writer))
  const seconds = (performance.now() - start) / 1e3
  return { seconds, positions: positions.sort((a, b) => Number(a) - Number(b)) }
}

/** A document of some 200 bytes. */
export function documentText({ id, n }: { id?: string; n: number }): string {
  const name = `document ${String(n).padStart(8, '0')}`
  return JSON.stringify({ id, name, value: 10_000_000.5 + n, filler: 'x'.repeat(100) })
}
