import { get } from 'node:http'
import { get as getTls } from 'node:https'

/**
 * Checks the liveness of a program on this machine: `GET /health`. It is the health check of the image, which contains
 * neither a shell nor curl.
 *
 * `node:http` and not `fetch`, because `fetch` would send the request through an `HTTP_PROXY` of the environment.
 *
 * @param host the address or the name to connect to, as `connectAddress` returns it
 * @param port the port that the server listens on
 * @param tls whether the server uses TLS. Its certificate is not verified: it is for another name than this address.
 * @param timeoutMs default: 2,500
 * @throws Error when the response is not 200, with the reason
 * @example await checkHealth('127.0.0.1', 8000) // resolves when the server responds with 200
 */
export function checkHealth(host: string, port: number, tls = false, timeoutMs = 2_500): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no response within ${timeoutMs} ms`)), timeoutMs)
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      if (error === undefined) resolve()
      else reject(error)
    }
    const options = { host, port, path: '/health', agent: false, rejectUnauthorized: false }
    const send = tls ? getTls : get
    send(options, (response) => {
      response.resume()
      const { statusCode } = response
      finish(statusCode === 200 ? undefined : new Error(`/health responded with ${statusCode}`))
    }).on('error', finish)
  })
}

/**
 * The address at which a program that listens on `HOST` can be reached from the same machine. Of an address that stands
 * for all, it is the loopback address.
 *
 * @param host the value of `HOST`; IPv6 addresses with or without brackets
 * @example connectAddress('0.0.0.0') // '127.0.0.1'
 */
export function connectAddress(host: string | undefined): string {
  const address = (host ?? '').trim().replace(/^\[(.*)\]$/, '$1')
  if (address === '' || address === '0.0.0.0') return '127.0.0.1'
  return URL.parse(`http://[${address}]`)?.hostname === '[::]' ? '::1' : address
}

if (import.meta.main) {
  try {
    // PORT and TLS_CERT are the server's. A check of the worker passes the worker's port, which is always plain HTTP.
    const [, , workerPort] = process.argv
    const host = connectAddress(process.env.HOST)
    if (workerPort) await checkHealth(host, Number(workerPort))
    else {
      const port = Number(process.env.PORT?.trim() || 8000)
      await checkHealth(host, port, Boolean(process.env.TLS_CERT?.trim()))
    }
    process.exit(0)
  } catch (error) {
    // Container engines show the output of a failed health check.
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
