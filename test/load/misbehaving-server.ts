import type { Socket } from 'bun'
import { rightAnswers } from './right-answer.ts'

/** What the server does with one request. */
export type Behaviour =
  | 'answer'
  | 'answer and close'
  | 'answer, close while idle'
  | 'answer, close when the next request comes'
  | 'reset before reading'
  | 'reset after reading'
  | 'close after reading'
  | 'half an answer, then close'
  | 'half an answer, then reset'
  | 'half a chunked answer, then close'
  | 'hang'
  | '503'
  | 'redirect'
  | 'wrong JSON'
  | 'wrong number'
  | 'not JSON'
  | 'empty'
  | 'answer, stop listening'

type Connection = { received: string; closeAtNextByte: boolean }

/**
 * A server on raw TCP that takes the POSTs of one client, one after the other, and misbehaves as listed.
 * Other requests (health, metrics) are answered well and take no turn.
 */
export function startMisbehavingServer(behaviours: Behaviour[]) {
  const answers = rightAnswers(1, 'small')
  let turn = 0

  const server = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = { received: '', closeAtNextByte: false }
        if (behaviours[turn] === 'reset before reading') {
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
        const behaviour = behaviours[turn++]
        const right = answers.get(request.body)
        if (!behaviour || !right) throw new Error(`turn ${turn}: no behaviour, or a payload of another seed`)
        behave(socket, behaviour, right)
      },
    },
  })

  function behave(
    socket: Socket<Connection>,
    behaviour: Behaviour,
    right: { numeric_analysis: { mean: number } },
  ) {
    const good = http(200, JSON.stringify(right), 'Connection: keep-alive\r\n')
    switch (behaviour) {
      case 'answer':
        return socket.write(good)
      case 'answer and close':
        return socket.end(http(200, JSON.stringify(right), 'Connection: close\r\n'))
      case 'answer, close while idle':
        // The FIN behind the answer: the client reads it long before its think time is over.
        return socket.end(good)
      case 'answer, close when the next request comes':
        socket.data.closeAtNextByte = true
        return socket.write(good)
      case 'answer, stop listening':
        socket.end(http(200, JSON.stringify(right), 'Connection: close\r\n'))
        return server.stop()
      case 'reset before reading':
        throw new Error('the turn before must leave no connection open')
      case 'reset after reading':
        return socket.terminate()
      case 'close after reading':
        return socket.end()
      case 'half an answer, then close':
        return socket.end(good.slice(0, -20))
      case 'half an answer, then reset':
        socket.write(good.slice(0, -20))
        socket.flush()
        return socket.terminate()
      case 'half a chunked answer, then close':
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

/** The next complete request of a connection, or null while parts of it are missing. */
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

/** An HTTP/1.1 response. Its body may have characters outside ASCII only in JSON escapes: none has. */
function http(status: number, body: string, headers = ''): string {
  return `HTTP/1.1 ${status} Status\r\nContent-Type: application/json\r\nX-Served-By: misbehaving\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}
