/** A server answers any command of a client that it rejects with one of these errors. */
const refusal = /^-(.*)\r\n/

/**
 * Finds out why a connection failed: Bun's client reports every cause as a closed connection. It connects to the server
 * itself, without a password, so a server that requires one answers with that error.
 *
 * @returns undefined when the server gives no reason, or the connection is encrypted
 */
export async function explainConnectFailure(url: string, timeoutMs: number): Promise<Error | undefined> {
  const { protocol, hostname, port, password } = new URL(url)
  if (protocol !== 'redis:') return undefined
  const { promise, resolve } = Promise.withResolvers<Error | undefined>()
  const timer = setTimeout(() => resolve(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  const connection = Bun.connect({
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    socket: {
      open: (socket) => void socket.write('PING\r\n'),
      data(_, bytes) {
        const [, reason] = refusal.exec(bytes.toString()) ?? []
        if (reason === undefined) resolve(undefined)
        else if (reason.startsWith('NOAUTH') && password !== '')
          resolve(new Error('WRONGPASS the server refuses the user name or the password'))
        else resolve(new Error(reason))
      },
      close: () => resolve(undefined),
      error: (_, error) => resolve(error),
      connectError: (_, error) => resolve(error),
    },
  })
  connection.catch(resolve)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    connection.then((socket) => socket.terminate()).catch(() => {})
  }
}
