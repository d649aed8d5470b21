import { get } from 'node:http'
import { get as getTls } from 'node:https'

/**
 * Checks the liveness of the server in this container: `GET /health` on the loopback address. It is the health check of
 * the image, which contains neither a shell nor curl.
 *
 * `node:http` and not `fetch`, because `fetch` would send the request through an `HTTP_PROXY` of the environment.
 *
 * @param port the port that the server listens on
 * @param tls whether the server uses TLS. Its certificate is not verified: it is for another name than this address.
 * @param timeoutMs default: 2,500
 * @throws Error when the response is not 200, with the reason
 * @example await checkHealth(8000) // resolves when the server responds with 200
 */
export function checkHealth(port: number, tls = false, timeoutMs = 2_500): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no response within ${timeoutMs} ms`)), timeoutMs)
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      if (error === undefined) resolve()
      else reject(error)
    }
    const options = { host: '127.0.0.1', port, path: '/health', agent: false, rejectUnauthorized: false }
    const send = tls ? getTls : get
    send(options, (response) => {
      response.resume()
      const { statusCode } = response
      finish(statusCode === 200 ? undefined : new Error(`/health responded with ${statusCode}`))
    }).on('error', finish)
  })
}

if (import.meta.main) {
  try {
    // PORT and TLS_CERT are the server's. A check of the worker passes the worker's port, which is always plain HTTP.
    const [, , workerPort] = process.argv
    if (workerPort) await checkHealth(Number(workerPort))
    else await checkHealth(Number(process.env.PORT || 8000), Boolean(process.env.TLS_CERT))
    process.exit(0)
  } catch (error) {
    // Container engines show the output of a failed health check.
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
