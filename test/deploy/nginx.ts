import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnChild } from '../support/child-process.ts'
import { runCommand } from '../support/command.ts'
import { freePorts } from '../support/free-ports.ts'
import { root } from '../support/root.ts'
import { until } from '../support/until.ts'

/** nginx with the shipped configuration on loopback ports. */
export interface Nginx extends AsyncDisposable {
  readonly port: number
  readonly certificate: string
  /** Its access log so far. */
  readonly log: () => Promise<string>
  /** The output of `nginx -t`. */
  readonly check: { readonly exitCode: number; readonly output: string }
}

export const shippedNginx = await Bun.file(join(root, 'deploy/nginx/tally.conf')).text()

export interface NginxOptions {
  /** Default: the shipped one. */
  readonly configuration?: string
  /** Whether the port speaks TLS. Default true. */
  readonly tls?: boolean
}

/** @param upstream the port of the service */
export async function startNginx(
  upstream: number,
  { configuration = shippedNginx, tls: hasTls = true }: NginxOptions = {},
): Promise<Nginx> {
  const directory = await mkdtemp(join(tmpdir(), 'nginx-'))
  await mkdir(join(directory, 'logs'))
  const [plain = 0, tls = 0] = freePorts(2)
  const certificate = join(directory, 'tally.crt')
  const key = join(directory, 'tally.key')
  await runCommand([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ])
  // The shipped file with other addresses and another certificate.
  await Bun.write(
    join(directory, 'tally.conf'),
    configuration
      .replace(/^ *listen \[::\].*\n/gm, '')
      .replace('listen 80;', `listen 127.0.0.1:${plain};`)
      .replace('listen 443 ssl http2', `listen 127.0.0.1:${tls}${hasTls ? ' ssl http2' : ''}`)
      .replace('127.0.0.1:8000', `127.0.0.1:${upstream}`)
      .replace('/var/log/nginx/tally.log', join(directory, 'access.log'))
      .replace('/etc/nginx/tls/tally.crt', certificate)
      .replace('/etc/nginx/tls/tally.key', key),
  )
  const main = join(directory, 'nginx.conf')
  await Bun.write(
    main,
    `daemon off; master_process off; worker_processes 1; pid ${directory}/nginx.pid;
     error_log ${directory}/logs/error.log;
     events {}
     http {
       access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
       fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
       include ${directory}/tally.conf;
     }`,
  )
  const command = ['nginx', '-p', directory, '-e', `${directory}/logs/error.log`, '-c', main]
  const check = await runCommand([...command, '-t'])
  const nginx = spawnChild({ command, output: 'ignore' })
  const proxy: Nginx = {
    port: tls,
    certificate,
    log: () => Bun.file(join(directory, 'access.log')).text(),
    check,
    async [Symbol.asyncDispose]() {
      await nginx.stop()
      await rm(directory, { recursive: true })
    },
  }
  const url = `${hasTls ? 'https' : 'http'}://127.0.0.1:${tls}/`
  const ca = Bun.file(certificate)
  await until(async () => (await fetch(url, { tls: { ca } })).ok, {
    what: 'nginx to answer',
  })
  return proxy
}
