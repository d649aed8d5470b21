import { socketsOn } from './sockets.ts'

/**
 * Counts this process's open connections on a local TCP port: those it has accepted and those that wait
 * in its accept queue, for somebody will want an answer on them too. Bun tells no count; the kernel does.
 *
 * @returns the count, or undefined where the platform does not tell.
 */
export function openConnections(port: number): number | undefined {
  return socketsOn(port)?.reduce(
    (sum, { state, queued }) => sum + (state === 'established' || state === 'close-wait' ? 1 : queued),
    0,
  )
}
