import type { DocumentStore } from '../src/documents/document-store.ts'

/** Concurrent writers, each creating one document after the other. */
const writers = 128

/** The time to fill the store, and the positions of the documents. */
export interface Filled {
  readonly seconds: number
  /** Positions of all documents, in order of creation. */
  readonly positions: readonly string[]
}

/** Creates documents through the port, all of nearly the same length, so that every page has the same size. */
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

/** A document of about 200 bytes. */
export function documentText({ id, n }: { id?: string; n: number }): string {
  const name = `document ${String(n).padStart(8, '0')}`
  return JSON.stringify({ id, name, value: 10_000_000.5 + n, filler: 'x'.repeat(100) })
}
