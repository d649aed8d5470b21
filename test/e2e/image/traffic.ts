import { type Connection, open } from './connection.ts'

/** The outcomes of the requests. */
export interface Tally {
  /** 200 with the correct numbers. */
  answered: number
  /** Of those, the responses of a draining instance. */
  answeredWhileDraining: number
  /** Nothing was sent, because the connection was refused. */
  refused: number
  /** Sent completely, but without a complete and correct response; each as a text. */
  readonly lost: string[]
}

export interface Traffic {
  readonly tally: Tally
  /** Resolves when every client has received `Connection: close` and has closed its connection. */
  readonly ended: Promise<void>
}

export interface TrafficOptions {
  /** Clients that send request after request on one connection. */
  readonly keptAlive: number
  /** Clients that open a connection for each request. */
  readonly fresh: number
  /**
   * How long new connections still arrive after the instance reports that it is not ready, in ms, because no platform
   * reacts immediately.
   */
  readonly platformLagMs: number
}

/** How often readiness is probed, in ms; also the pace of a client that opens connections. */
const pollMs = 100
const paceMs = 5

/**
 * Sends traffic to one instance like a platform: a balancer polls `/ready` and, some time after a 503, sends no new
 * connections. Open connections stay open until the instance sends `Connection: close`.
 */
export function startTraffic(port: number, { keptAlive, fresh, platformLagMs }: TrafficOptions): Traffic {
  const tally: Tally = { answered: 0, answeredWhileDraining: 0, refused: 0, lost: [] }
  let routed = true
  let sent = 0

  async function send(connection: Connection): Promise<void> {
    const n = sent++
    try {
      const answer = await connection.exchange(payload(n))
      if (answer.status !== 200 || JSON.parse(answer.body).numeric_analysis.mean !== n + 0.5) {
        tally.lost.push(`request ${n}: ${answer.status} ${answer.body}`)
        return
      }
      tally.answered++
      if (answer.closes) tally.answeredWhileDraining++
    } catch (error) {
      tally.lost.push(`request ${n}: ${error instanceof Error ? error.message : error}`)
    }
  }

  async function balancer(): Promise<void> {
    while (await isReady(port)) await Bun.sleep(pollMs)
    await Bun.sleep(platformLagMs)
    routed = false
  }

  async function keptAliveClient(): Promise<void> {
    while (routed) {
      const connection = await open(port)
      if (connection === undefined) {
        tally.refused++
        await Bun.sleep(paceMs)
        continue
      }
      while (connection.usable) await send(connection)
      connection.close()
    }
  }

  async function freshClient(): Promise<void> {
    while (routed) {
      const connection = await open(port)
      if (connection === undefined) tally.refused++
      else {
        await send(connection)
        connection.close()
      }
      await Bun.sleep(paceMs)
    }
  }

  const clients = [
    balancer(),
    ...Array.from({ length: keptAlive }, keptAliveClient),
    ...Array.from({ length: fresh }, freshClient),
  ]
  return { tally, ended: Promise.all(clients).then(() => {}) }
}

async function isReady(port: number): Promise<boolean> {
  const connection = await open(port)
  try {
    const answer = await connection?.exchange('GET /ready HTTP/1.1\r\nHost: tally\r\n\r\n')
    return answer?.status === 200
  } finally {
    connection?.close()
  }
}

/** A request with a unique result: the mean is n + 0.5. */
function payload(n: number): string {
  const body = JSON.stringify({ numbers: [n, n + 1], text: 'Sample text for analysis' })
  return `POST /payload HTTP/1.1\r\nHost: tally\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}
