/**
 * A process that writes documents until it is done or killed: `bun writer.ts '<WriterTask as JSON>'`. It prints the id
 * of each confirmed document on its own line, and `failed <code>` for every other document.
 */
import { openDocumentStore } from '../../src/documents/open.ts'

export interface WriterTask {
  url?: string
  dataDir: string
  /** The prefix of its ids. */
  prefix: string
  /** Concurrent writers. */
  writers: number
  /** Documents per writer. */
  documents: number
}

/** The body of the document with an id. A reader recognizes by it whether a document is complete. */
export function createBody(id: string): string {
  return JSON.stringify({ id, filler: 'x'.repeat(500) })
}

if (import.meta.main) {
  const { url, dataDir, prefix, writers, documents } = JSON.parse(process.argv[2] as string) as WriterTask
  const store = await openDocumentStore({ url, dataDir })
  const loop = async (writer: number) => {
    for (let n = 0; n < documents; n++) {
      const id = `${prefix}-${writer}-${n}`
      const line = await store.create({ id, body: createBody(id) }).then(
        () => id,
        (error) => `failed ${error.code} ${error.cause}`,
      )
      process.stdout.write(`${line}\n`)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => loop(writer)))
  await store.close()
}
