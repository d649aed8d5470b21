import { connect } from './client.ts'
import { checkStatus } from './expected.ts'
import { payloadWorkloads } from './workloads.ts'

// A thread that sends huge payloads one after another, so that measurements beside them have their own event loop. It
// posts `ready` once its payload exists. For each port and duration it posts the number of responses.

declare const self: Worker

/** The message to the thread. */
export interface HugeLoad {
  readonly port: number
  readonly durationMs: number
}

const huge = payloadWorkloads().find(({ name }) => name === 'huge')
if (huge === undefined) throw new Error('no workload is named huge')

self.onmessage = async ({ data: { port, durationMs } }: MessageEvent<HugeLoad>) => {
  const client = await connect(port, huge.request, 1)
  const { latenciesMs } = await client.run(durationMs, checkStatus)
  client.close()
  self.postMessage(latenciesMs.length)
}
self.postMessage('ready')
