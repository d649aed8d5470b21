import type { InstanceJson } from '../../http/routes/instance-json.ts'
import { client } from './client.ts'
import { expectOk } from './problem.ts'
import { type RequestState, useRequest } from './use-request.ts'

/** Asks an instance for its state. Behind a balancer, any instance may answer. */
export async function readInstance(signal: AbortSignal): Promise<InstanceJson> {
  const response = await expectOk(client.console.instance.$get({}, { init: { signal } }))
  return response.json()
}

const intervalMs = 5_000

/** The last instance that answered. */
export function useInstance(): RequestState<InstanceJson> {
  return useRequest(readInstance, intervalMs)
}
