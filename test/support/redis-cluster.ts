import { freePort } from './free-ports.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { until } from './until.ts'

/** A shard of Redis in cluster mode, as managed services have it: a primary that owns all slots, and a replica. */
export interface RedisCluster {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /**
   * Exchanges the roles, without losing a write; resolves when both have noticed. Once: a node votes for the same shard
   * again only after twice the node timeout.
   */
  failOver(): Promise<void>
  /** Deletes everything that is in it. */
  flush(): Promise<void>
  remove(): Promise<void>
}

/** How long nodes may take to agree on a loaded machine. */
const agreement = { timeoutMs: 90_000, intervalMs: 50 }

/** After this time Redis ends a failover that was requested and did not succeed; with some more. */
const failoverTimeoutMs = 7_000

/** @throws Error when the nodes do not agree on a cluster */
export async function startRedisCluster(): Promise<RedisCluster> {
  const busPort = freePort()
  const startNode = async (port: number): Promise<RedisServer> =>
    await startRedis({
      // A busy machine must not look like a failed node.
      args: ['--cluster-enabled', 'yes', '--cluster-port', `${port}`, '--cluster-node-timeout', '30000'],
    })
  const primary = await startNode(busPort)
  const replica = await startNode(freePort())
  await primary.send('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await replica.send('CLUSTER', 'MEET', '127.0.0.1', `${primary.port}`, `${busPort}`)
  const id = await primary.send('CLUSTER', 'MYID')
  await until(async () => (await replica.send('CLUSTER', 'REPLICATE', id)) === 'OK', {
    what: 'the nodes to meet',
    ...agreement,
  })

  const hasRole = async (node: RedisServer, role: 'master' | 'slave'): Promise<boolean> => {
    const [replication, state] = await Promise.all([
      node.send('INFO', 'replication'),
      node.send('CLUSTER', 'INFO'),
    ])
    const isLinked = role === 'master' ? 'connected_slaves:1' : 'master_link_status:up'
    return (
      [`role:${role}`, isLinked].every((text) => replication.includes(text)) && state.includes('_state:ok')
    )
  }
  await until(async () => (await hasRole(primary, 'master')) && (await hasRole(replica, 'slave')), {
    what: 'the nodes to agree on their roles',
    ...agreement,
  })

  let master = primary
  return {
    primary,
    replica,
    async failOver() {
      let requestedAt = Number.NEGATIVE_INFINITY
      await until(
        async () => {
          if ((await hasRole(replica, 'master')) && (await hasRole(primary, 'slave'))) return true
          // On a busy machine an exchange of roles may run out of its time, and has to be requested again.
          const isOver = performance.now() - requestedAt > failoverTimeoutMs
          if (isOver && (await replica.send('CLUSTER', 'FAILOVER')) === 'OK') requestedAt = performance.now()
          return false
        },
        { what: 'the nodes to exchange their roles', ...agreement },
      )
      master = replica
    },
    flush: async () => await master.flush(),
    async remove() {
      await Promise.all([primary.remove(), replica.remove()])
    },
  }
}
