import type { Socket } from 'bun'
import { rightAnswers } from './right-answer.ts'

/** The server's reaction to one request. */
export type Behavior =
  | 'respond'
  | 'respond and close'
  | 'respond, close while idle'
  | 'respond, close when the next request arrives'
  | 'reset before reading'
  | 'reset after reading'
  | 'close after reading'
  | 'half a response, then close'
  | 'half a response, then reset'
  | 'half a chunked response, then close'
  | 'hang'
  | '503'
  | 'redirect'
  | 'wrong JSON'
  | 'wrong number'
  | 'not JSON'
  | 'empty'
  | 'respond, stop listening'

type Connection = { received: string; closeAtNextByte: boolean }

/**
 * A raw TCP server that receives the POSTs of one client, one after the other, and reacts to each as listed. Other
 * requests (health, metrics) get a correct response and take no turn.
 */
export function startMisbehavingServer(behaviors: Behavior[]) {
  const answers = rightAnswers(1, 'small')
  let turn = 0

  const server = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = { received: '', closeAtNextByte: false }
        if (behaviors[turn] === 'reset before reading') {
          turn++
          socket.terminate()
        }
      },
      data(socket, chunk) {
        if (socket.data.closeAtNextByte) {
          turn++
          socket.end()
          return
        }
        socket.data.received += chunk.toString('latin1')
        const request = takeRequest(socket.data)
        if (request === null) return
        if (request.method !== 'POST') {
          socket.end(http(200, '{"status":"ok"}', 'Connection: close\r\n'))
          return
        }
        const behavior = behaviors[turn++]
        const right = answers.get(request.body)
        if (!behavior || !right) throw new Error(`turn ${turn}: no behavior, or a payload with another seed`)
        behave(socket, behavior, right)
      },
    },
  })

  function behave(
    socket: Socket<Connection>,
    behavior: Behavior,
    right: { numeric_analysis: { mean: number } },
  ) {
    const good = http(200, JSON.stringify(right), 'Connection: keep-alive\r\n')
    switch (behavior) {
      case 'respond':
        return socket.write(good)
      case 'respond and close':
        return socket.end(http(200, JSON.stringify(right), 'Connection: close\r\n'))
      case 'respond, close while idle':
        // The FIN follows the response: the client reads it long before its think time is over.
        return socket.end(good)
      case 'respond, close when the next request arrives':
        socket.data.closeAtNextByte = true
        return socket.write(good)
      case 'respond, stop listening':
        socket.end(http(200, JSON.stringify(right), 'Connection: close\r\n'))
        return server.stop()
      case 'reset before reading':
        throw new Error('the previous turn must close its connection')
      case 'reset after reading':
        return socket.terminate()
      case 'close after reading':
        return socket.end()
      case 'half a response, then close':
        return socket.end(good.slice(0, -20))
      case 'half a response, then reset':
        socket.write(good.slice(0, -20))
        socket.flush()
        return socket.terminate()
      case 'half a chunked response, then close':
        return socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"num\r\n')
      case 'hang':
        return
      case '503':
        return socket.write(http(503, '{"title":"draining"}'))
      case 'redirect':
        return socket.write(http(307, '', 'Location: /elsewhere\r\n'))
      case 'wrong JSON':
        return socket.write(http(200, '{"numeric":{"min":1}}'))
      case 'wrong number': {
        const numbers = { ...right.numeric_analysis, mean: right.numeric_analysis.mean * (1 + 1e-12) }
        return socket.write(http(200, JSON.stringify({ ...right, numeric_analysis: numbers })))
      }
      case 'not JSON':
        return socket.write(http(200, '<html>It works!</html>'))
      case 'empty':
        return socket.write(http(200, ''))
    }
  }

  return {
    url: `http://127.0.0.1:${server.port}`,
    turns: () => turn,
    stop: () => server.stop(true),
  }
}

/** Takes the next complete request of a connection, or returns null while parts of it are missing. */
function takeRequest(connection: Connection): { method: string; body: string } | null {
  const headEnd = connection.received.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const head = connection.received.slice(0, headEnd)
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  const bodyStart = headEnd + 4
  if (connection.received.length < bodyStart + length) return null
  const body = connection.received.slice(bodyStart, bodyStart + length)
  connection.received = connection.received.slice(bodyStart + length)
  return { method: head.slice(0, head.indexOf(' ')), body: Buffer.from(body, 'latin1').toString() }
}

/** Formats an HTTP/1.1 response. The body must be ASCII. */
function http(status: number, body: string, headers = ''): string {
  return `HTTP/1.1 ${status} Status\r\nContent-Type: application/json\r\nX-Served-By: misbehaving\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}
