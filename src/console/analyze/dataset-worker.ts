import { Dataset } from './dataset.ts'
import type { Answer, Call } from './dataset-client.ts'

// The worker's program: answers the calls of `DatasetClient` in order.

const dataset = new Dataset()
const scope = globalThis as unknown as Pick<Worker, 'postMessage' | 'onmessage'>

let last: Promise<unknown> = Promise.resolve()
scope.onmessage = ({ data }: MessageEvent<Call>) => {
  last = last.then(async () => {
    const answer = await run(data).catch((error: Error): Answer => ({ id: data.id, error: error.message }))
    scope.postMessage(answer)
  })
}

async function run(call: Call): Promise<Answer> {
  const value = await (call.method === 'readFile'
    ? dataset.readFile(call.input)
    : dataset.prepare(call.input))
  return { id: call.id, value }
}
