import { get } from 'node:http'
import { get as getTls } from 'node:https'

/**
 * Asks the server of this container whether it lives: `GET /health` on the loopback address. The image's
 * health check, so that it needs neither a shell nor curl.
 *
 * `node:http` and not `fetch`, for `fetch` would send even this through an `HTTP_PROXY` of the environment.
 *
 * @param port where the server listens
 * @param tls whether it speaks TLS; its certificate is not looked at, for it is for another name than this address
 * @param timeoutMs how long the answer may take, in ms
 * @throws Error saying what came instead of a 200
 * @example await check(8000) // resolves: the server answered 200
 */
export function check(port: number, tls = false, timeoutMs = 2_500): Promise<void> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
    const done = (problem?: Error) => {
      clearTimeout(deadline)
      if (problem === undefined) resolve()
      else reject(problem)
    }
    const where = { host: '127.0.0.1', port, path: '/health', agent: false, rejectUnauthorized: false }
    const ask = tls ? getTls : get
    ask(where, (response) => {
      response.resume()
      done(response.statusCode === 200 ? undefined : new Error(`/health answered ${response.statusCode}`))
    }).on('error', done)
  })
}

if (import.meta.main) {
  try {
    // The port of the environment is the server's; a worker's check names its own, which is always plain HTTP.
    const [, , named] = process.argv
    if (named) await check(Number(named))
    else await check(Number(process.env.PORT || 8000), Boolean(process.env.TLS_CERT))
    process.exit(0)
  } catch (error) {
    // The engine keeps what a health check prints, and shows it beside the verdict.
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
