import { failureReply, type Reply, threadReady } from '../../threads/thread-pool.ts'
import { compileDocumentSchema, type DocumentSchema } from '../schema/json-schema.ts'
import { checkDocument } from './check-document.ts'
import type { CheckJob } from './document-checker.ts'

// The program of a thread that checks documents. document-checker.ts starts it with the schema as its last argument.

declare const self: Worker

const source: unknown = JSON.parse(process.argv.at(-1) as string)
const schema: Promise<DocumentSchema | undefined> =
  source === null ? Promise.resolve(undefined) : compileDocumentSchema(source)

// A schema that cannot be compiled fails each job.
schema.then(
  () => self.postMessage(threadReady),
  () => {},
)

self.onmessage = async ({ data }: MessageEvent<CheckJob>) => self.postMessage(await run(data))

async function run({ bytes, isKeyed }: CheckJob): Promise<Reply> {
  try {
    return { ok: true, result: checkDocument(bytes, isKeyed, await schema) }
  } catch (error) {
    return failureReply(error)
  }
}
