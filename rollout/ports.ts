/**
 * Free loopback ports, all different. They are free when this returns; nothing holds them after that, so
 * whoever starts a program on one must be ready to see it fail.
 */
export function freePorts(count: number): number[] {
  const holders = Array.from({ length: count }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }),
  )
  const ports = holders.map(({ port }) => port)
  for (const holder of holders) holder.stop(true)
  return ports
}
