import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import type { Certificate } from '../../src/lifecycle/index.ts'
import { runSuccessfully } from './command.ts'
import { hasProgram } from './programs.ts'

/** Whether certificates can be made here. */
export function haveOpenssl(): boolean {
  return hasProgram('openssl', 'openssl')
}

/** A self-signed certificate of the loopback address with the common name `name`, valid for `days`, and its key. */
export async function makeCertificate(name: string, days = 30): Promise<Certificate> {
  const directory = await mkdtemp(join(tmpdir(), 'tally-certificate-'))
  try {
    const files = { cert: join(directory, 'cert'), key: join(directory, 'key') }
    const options = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      `${days}`,
    ]
    const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    await runSuccessfully([
      'openssl',
      'req',
      '-x509',
      ...options,
      ...names,
      '-keyout',
      files.key,
      '-out',
      files.cert,
    ])
    return { cert: await Bun.file(files.cert).text(), key: await Bun.file(files.key).text() }
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** A TLS connection to the loopback address that verifies no certificate but reports its common name. */
export interface TlsConnection extends Disposable {
  /** The common name in the peer's certificate. */
  readonly name: string
  /** Requests a path; returns the head of a response that fits into one packet. */
  get(path: string): Promise<string>
  /** Resolves when the peer has closed the connection. */
  readonly ended: Promise<void>
}

/** @throws Error if no connection is possible */
export async function connectTls(port: number): Promise<TlsConnection> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const ended = new Promise<void>((resolve) => socket.once('end', resolve).once('close', () => resolve()))
  return {
    name: String(socket.getPeerCertificate().subject.CN),
    ended,
    get: (path) =>
      new Promise((resolve, reject) => {
        socket.once('data', (bytes) => resolve(bytes.toString('latin1')))
        void ended.then(() => reject(new Error('the connection has ended')))
        socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      }),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
