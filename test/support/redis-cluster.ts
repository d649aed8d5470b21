import { freePort } from './free-ports.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { until } from './until.ts'

/** A shard of Redis in cluster mode, as managed services have it: a primary that owns all slots, and a replica. */
export interface RedisCluster {
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Exchanges the roles, without losing a write; resolves when both have noticed. */
  failOver(): Promise<void>
  /** Deletes everything that is in it. */
  flush(): Promise<void>
  remove(): Promise<void>
}

/** How long nodes may take to agree on a loaded machine. */
const agreement = { timeoutMs: 60_000, intervalMs: 50 }

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
  const roles = async (master: RedisServer, slave: RedisServer): Promise<void> => {
    await until(async () => (await hasRole(master, 'master')) && (await hasRole(slave, 'slave')), {
      what: 'the nodes to agree on their roles',
      ...agreement,
    })
  }
  await roles(primary, replica)

  let current = { master: primary, slave: replica }
  return {
    primary,
    replica,
    async failOver() {
      const { master, slave } = current
      await until(async () => (await slave.send('CLUSTER', 'FAILOVER')) === 'OK', {
        what: 'the failover to begin',
        ...agreement,
      })
      await roles(slave, master)
      current = { master: slave, slave: master }
    },
    flush: async () => await current.master.flush(),
    async remove() {
      await Promise.all([primary.remove(), replica.remove()])
    },
  }
}
