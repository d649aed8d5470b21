/** Below Linux's range for outgoing connections (32768 and up), of which a load opens thousands. */
const minPort = 10_000
const maxPort = 32_000

/**
 * Free loopback ports, all different, from outside the range of the system's ephemeral ports, because a port must still
 * be free when the successor of its server starts. Nothing reserves them after this returns.
 *
 * @throws Error if there are fewer than `count`
 */
export function freePorts(count: number): number[] {
  const holders = new Map<number, Bun.TCPSocketListener<undefined>>()
  for (let tries = 0; holders.size < count; tries++) {
    if (tries > 100 * count) throw new Error(`no ${count} free ports on 127.0.0.1`)
    const port = minPort + Math.floor(Math.random() * (maxPort - minPort))
    try {
      holders.set(port, Bun.listen({ hostname: '127.0.0.1', port, socket: { data() {} } }))
    } catch {
      // In use, so try another one.
    }
  }
  for (const holder of holders.values()) holder.stop(true)
  return [...holders.keys()]
}

/** One such port. */
export function freePort(): number {
  return freePorts(1)[0]!
}
