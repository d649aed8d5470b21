import { listTcpSockets } from './sockets.ts'

/**
 * Counts the open connections of this process on a local TCP port, because Bun has no such count. Connections in the
 * accept queue count too: their clients expect a response.
 *
 * @returns undefined where the platform cannot count them
 */
export function countOpenConnections(port: number): number | undefined {
  return listTcpSockets(port)?.reduce(
    (sum, { state, queued }) => sum + (state === 'established' || state === 'close-wait' ? 1 : queued),
    0,
  )
}
