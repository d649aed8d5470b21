import type { Config } from '../config.ts'
import type { Certificate, Lifecycle } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import { readTexts, watchFiles } from './watch-files.ts'

/** The certificate of the configuration, as its files have it now. */
export interface OpenCertificate {
  readonly certificate: Certificate
  /** Calls back with what the files have from now on, whenever it has changed and is a certificate with its key. */
  onChange(renew: (certificate: Certificate) => void | Promise<void>): void
}

/**
 * Reads `TLS_CERT` and `TLS_KEY`.
 *
 * @returns undefined where they are not set
 * @throws when a file cannot be read, or they are not a certificate and its key
 */
export async function openCertificate(
  lifecycle: Lifecycle,
  { TLS_CERT, TLS_KEY }: Config,
  log: Log,
): Promise<OpenCertificate | undefined> {
  if (TLS_CERT === undefined || TLS_KEY === undefined) return undefined
  // Loaded only here: node:crypto takes longer than any other module of a start.
  const { createPrivateKey, X509Certificate } = await import('node:crypto')
  const certificateOf = ([cert = '', key = '']: readonly string[]): Certificate => {
    // Of a key, OpenSSL's errors tell nothing but what it is not.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error('TLS_KEY is not the key of TLS_CERT')
    return { cert, key }
  }
  const paths = [TLS_CERT, TLS_KEY]
  const texts = await readTexts(paths)
  return {
    certificate: certificateOf(texts),
    onChange(renew) {
      const use = async (changed: readonly string[]): Promise<void> => {
        const certificate = certificateOf(changed)
        const { validTo, subject } = new X509Certificate(certificate.cert)
        log.info('the certificate has changed: new connections get the new one', {
          subject,
          valid_to: validTo,
        })
        await renew(certificate)
      }
      const stop = watchFiles(paths, texts, use, (error) =>
        log.error('the changed certificate cannot be used: the one before holds', { error }),
      )
      lifecycle.onClose('certificate', async () => stop())
    },
  }
}
