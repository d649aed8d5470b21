import type { Socket } from 'bun'

/** Both directions of one connection; each side knows the other. */
interface Leg {
  other: Socket<Leg> | undefined
  early: Uint8Array[]
}

/** A connection that can fall silent: while it is frozen, it drops bytes without an error to either side. */
export interface TcpProxy {
  readonly port: number
  /** From now on nothing passes in either direction; connections stay open and new ones are accepted. */
  freeze(): void
  /** New connections pass again. Frozen ones stay silent. */
  thaw(): void
  /** The next request passes; its connection is closed when the server responds, before a byte of the response. */
  cutAfterNextRequest(): void
  /** New connections go to another port. Open ones stay where they are. */
  redirect(port: number): void
  /** The number of connections that `cutAfterNextRequest` has closed. */
  cuts(): number
  close(): void
}

/** Starts a proxy on a free loopback port in front of `port`. Intended for small messages: it ignores backpressure. */
export function startTcpProxy(port: number): TcpProxy {
  let target = port
  let frozen = false
  let cutNext = false
  let cuts = 0
  const dead = new WeakSet<Socket<Leg>>()
  const pass = (from: Socket<Leg>, bytes: Uint8Array) => {
    if (frozen || dead.has(from)) dead.add(from)
    else if (from.data.other) from.data.other.write(bytes)
    else from.data.early.push(bytes.slice())
  }
  const listener = Bun.listen<Leg>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(client) {
        client.data = { other: undefined, early: [] }
        if (frozen) return void dead.add(client)
        Bun.connect<Leg>({
          hostname: '127.0.0.1',
          port: target,
          data: { other: client, early: [] },
          socket: {
            open(server) {
              client.data.other = server
              for (const bytes of client.data.early.splice(0)) server.write(bytes)
            },
            data(server, bytes) {
              if (!cutNext) return void pass(server, bytes)
              cutNext = false
              cuts += 1
              client.terminate()
              server.end()
            },
            close: () => void client.end(),
            error: () => void client.end(),
          },
        }).catch(() => client.end())
      },
      data: pass,
      close: (client) => void client.data.other?.end(),
      error() {},
    },
  })
  return {
    port: listener.port,
    freeze() {
      frozen = true
    },
    thaw() {
      frozen = false
    },
    cutAfterNextRequest() {
      cutNext = true
    },
    redirect(port) {
      target = port
    },
    cuts: () => cuts,
    close: () => listener.stop(true),
  }
}
