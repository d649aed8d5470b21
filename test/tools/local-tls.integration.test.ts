import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { haveOpenssl } from '../support/certificates.ts'
import { runCommand, runSuccessfully } from '../support/command.ts'
import { rejectionOf } from '../support/rejection.ts'

const timeoutMs = 60_000

describe.skipIf(!haveOpenssl())('make tls', () => {
  let directory = ''
  const file = (name: string): string => join(directory, name)
  const text = (name: string): Promise<string> => Bun.file(file(name)).text()
  const create = (): Promise<string> =>
    runSuccessfully(['tools/local-tls.sh'], { env: { ...process.env, OUT: directory } })
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-tls-'))
    await create()
  }, timeoutMs)
  afterAll(() => rm(directory, { recursive: true }))

  test(
    'creates a certificate that a client accepts for localhost if it trusts the authority, and only then',
    async () => {
      await using server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        tls: { cert: await text('tls.crt'), key: await text('tls.key') },
        fetch: () => new Response('hello'),
      })
      const ca = await text('ca.crt')
      for (const host of ['localhost', '127.0.0.1']) {
        const url = `https://${host}:${server.port}/`
        expect(await (await fetch(url, { tls: { ca } })).text()).toBe('hello')
        expect(await rejectionOf(fetch(url))).toBeInstanceOf(Error)
      }
    },
    timeoutMs,
  )

  test(
    'renews the certificate and keeps the authority',
    async () => {
      const before = { ca: await text('ca.crt'), cert: await text('tls.crt') }
      await create()
      expect(await text('ca.crt')).toBe(before.ca)
      expect(await text('tls.crt')).not.toBe(before.cert)
      for (const name of ['ca.key', 'tls.key']) expect((await stat(file(name))).mode & 0o777).toBe(0o600)
    },
    timeoutMs,
  )

  test(
    'has an authority that no client accepts for another host',
    async () => {
      const openssl = (...words: string[]) => runCommand(['openssl', ...words], { cwd: directory })
      await Bun.write(file('other.cnf'), 'subjectAltName = DNS:bank.example')
      await openssl('req', '-new', '-key', 'tls.key', '-subj', '/CN=bank.example', '-out', 'other.csr')
      const signed = await openssl(
        ...['x509', '-req', '-in', 'other.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', '1'],
        ...['-extfile', 'other.cnf', '-out', 'other.crt'],
      )
      expect(signed.exitCode, signed.output).toBe(0)
      const { exitCode, output } = await openssl('verify', '-CAfile', 'ca.crt', 'other.crt')
      expect(exitCode).not.toBe(0)
      expect(output).toContain('permitted subtree violation')
    },
    timeoutMs,
  )
})
