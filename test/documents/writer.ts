/**
 * A process that writes documents until it is done or killed: `bun writer.ts '<WriterTask as JSON>'`. It prints the id
 * of each document that was confirmed, one a line, and `failed <code>` for each that was not.
 */
import { openStore } from '../../src/documents/open.ts'

export interface WriterTask {
  url?: string
  dataDir: string
  /** What its ids begin with. */
  prefix: string
  /** Loops that write at the same time. */
  writers: number
  /** Documents of each loop. */
  documents: number
}

/** The text that a writer keeps under an id, so that a reader can tell a whole document from half of one. */
export function bodyOf(id: string): string {
  return JSON.stringify({ id, filler: 'x'.repeat(500) })
}

if (import.meta.main) {
  const { url, dataDir, prefix, writers, documents } = JSON.parse(process.argv[2] as string) as WriterTask
  const store = await openStore({ url, dataDir })
  const loop = async (writer: number) => {
    for (let n = 0; n < documents; n++) {
      const id = `${prefix}-${writer}-${n}`
      const line = await store.create({ id, body: bodyOf(id) }).then(
        () => id,
        (error) => `failed ${error.code} ${error.cause}`,
      )
      process.stdout.write(`${line}\n`)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => loop(writer)))
  await store.close()
}
