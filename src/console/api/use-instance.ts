import { client } from './client.ts'
import { expectOk } from './problem.ts'
import { type RequestState, useRequest } from './use-request.ts'

/** What an instance says about itself. */
export type Instance = Awaited<ReturnType<typeof readInstance>>

/** Asks an instance about itself: behind a balancer any of them answers. */
export async function readInstance(signal: AbortSignal) {
  const response = await expectOk(client.console.instance.$get({}, { init: { signal } }))
  return response.json()
}

const intervalMs = 5_000

/** The instance that answered last. */
export function useInstance(): RequestState<Instance> {
  return useRequest(readInstance, intervalMs)
}
