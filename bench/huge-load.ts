import { connect } from './client.ts'
import { checkStatus } from './expected.ts'
import { payloadWorkloads } from './workloads.ts'

// A thread that sends huge payloads one after another, so that whoever measures beside them has an event loop of its
// own. It says `ready` once its payload is made; told a port and a time, it says how many were answered.

declare const self: Worker

/** What the thread is told. */
export interface HugeLoad {
  readonly port: number
  readonly durationMs: number
}

const huge = payloadWorkloads().find(({ name }) => name === 'huge')
if (huge === undefined) throw new Error('there is no huge workload')

self.onmessage = async ({ data: { port, durationMs } }: MessageEvent<HugeLoad>) => {
  const client = await connect(port, huge.request, 1)
  const { latenciesMs } = await client.run(durationMs, checkStatus)
  client.close()
  self.postMessage(latenciesMs.length)
}
self.postMessage('ready')
