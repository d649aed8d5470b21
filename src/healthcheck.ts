import { readFile } from 'node:fs/promises'
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
 * The address at which a program that listens on `HOST` can be reached from the same machine. For a wildcard
 * address, it is the loopback address.
 *
 * @param host the value of `HOST`; IPv6 addresses with or without brackets
 * @example connectAddress('0.0.0.0') // '127.0.0.1'
 */
export function connectAddress(host: string | undefined): string {
  const address = (host ?? '').trim().replace(/^\[(.*)\]$/, '$1')
  if (address === '' || address === '0.0.0.0') return '127.0.0.1'
  return URL.parse(`http://[${address}]`)?.hostname === '[::]' ? '::1' : address
}

/** What a check connects to. */
interface CheckTarget {
  readonly port: number
  readonly tls: boolean
}

/**
 * Finds out what runs here and where it listens: the server, or the worker, which is the same image with another
 * argument and always plain HTTP.
 *
 * @param env the environment of the program
 * @param commandLine the arguments of the program that runs
 * @param workerPort chooses the worker by hand
 * @example findTarget({ WORKER_PORT: '9000' }, ['bun', '/app/worker.js']) // { port: 9000, tls: false }
 */
export function findTarget(
  env: Readonly<Record<string, string | undefined>>,
  commandLine: readonly string[],
  workerPort?: string,
): CheckTarget {
  const isWorker = commandLine.some((argument) => /(^|\/)worker\.[jt]s$/.test(argument))
  if (workerPort !== undefined || isWorker)
    return { port: Number(workerPort ?? (env.WORKER_PORT?.trim() || 8081)), tls: false }
  return { port: Number(env.PORT?.trim() || 8000), tls: Boolean(env.TLS_CERT?.trim()) }
}

/** The arguments of process 1, which is the program in a container, also behind an init; none where it is hidden. */
async function readMainCommandLine(): Promise<string[]> {
  const text = await readFile('/proc/1/cmdline', 'utf8').catch(() => '')
  return text.split('\0')
}

if (import.meta.main) {
  try {
    const { port, tls } = findTarget(process.env, await readMainCommandLine(), process.argv[2])
    await checkHealth(connectAddress(process.env.HOST), port, tls)
    process.exit(0)
  } catch (error) {
    // Container engines show the output of a failed health check.
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
