// A thread that creates documents, so that measurements beside them have their own event loop. For each load it posts
// the number of documents that were created.

declare const self: Worker

/** The message to the thread. */
export interface DocumentLoad {
  readonly port: number
  readonly body: string
  /** Clients that each send one document after the other. */
  readonly clients: number
  readonly durationMs: number
}

self.onmessage = async ({ data: { port, body, clients, durationMs } }: MessageEvent<DocumentLoad>) => {
  const until = performance.now() + durationMs
  const created = await Promise.all(
    Array.from({ length: clients }, async () => {
      let count = 0
      for (; performance.now() < until; count++) await create(port, body)
      return count
    }),
  )
  self.postMessage(created.reduce((sum, count) => sum + count))
}

async function create(port: number, body: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  const answer = await response.text()
  if (response.status !== 201)
    throw new Error(`POST /data returned ${response.status}: ${answer.slice(0, 200)}`)
}
