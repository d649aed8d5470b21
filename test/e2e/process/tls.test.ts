import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from '../../../src/lifecycle/index.ts'
import { connectTls, haveOpenssl, makeCertificate } from '../../support/certificates.ts'
import { startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

describe.skipIf(!haveOpenssl())('a certificate in mounted files', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-tls-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  /** What a kubelet does: a directory for each version, and a link that is replaced atomically. */
  async function mount(version: string, { cert, key }: Certificate): Promise<void> {
    await Bun.write(join(directory, version, 'tls.crt'), cert)
    await Bun.write(join(directory, version, 'tls.key'), key)
    await symlink(version, join(directory, 'next'))
    await rename(join(directory, 'next'), join(directory, 'data'))
  }

  for (const processes of [1, 2])
    test(`that changes is presented to new connections by ${processes} processes, and existing connections are still served`, async () => {
      const [first, second] = await Promise.all([makeCertificate('first', 30), makeCertificate('second', 60)])
      await mount(`first${processes}`, first)
      await using service = await startService({
        env: {
          TLS_CERT: join(directory, 'data', 'tls.crt'),
          TLS_KEY: join(directory, 'data', 'tls.key'),
          WEB_CONCURRENCY: `${processes}`,
          FILE_WATCH_INTERVAL: '20ms',
          METRICS_PORT: '0',
          METRICS_HOST: '127.0.0.1',
        },
      })
      const admin = String((await service.log.line('admin server listening')).url)
      /** Waits until the metric is the expiry of this certificate in all processes. */
      const untilExpiryIsOf = ({ cert }: Certificate): Promise<unknown> => {
        const expiry = new X509Certificate(cert).validToDate.getTime() / 1_000
        const line = `tls_certificate_expiry_timestamp_seconds ${expiry}\n`
        return until(async () => (await (await fetch(`${admin}metrics`)).text()).includes(line))
      }
      await service.log.line(processes === 1 ? 'listening' : 'supervising')
      using old = await connectTls(service.port)
      expect(old.name).toBe('first')
      await untilExpiryIsOf(first)
      await old.get('/health')

      await mount(`broken${processes}`, { cert: second.cert, key: first.key })
      await service.log.line('certificate reload failed, keeping the current one')
      await mount(`second${processes}`, second)
      await until(async () => {
        using fresh = await connectTls(service.port)
        return fresh.name === 'second'
      })
      expect(await old.get('/health')).toMatch(/^HTTP\/1.1 200 OK/)
      await untilExpiryIsOf(second)
    })
})
