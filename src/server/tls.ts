import type { Config } from '../config.ts'
import type { Certificate, Lifecycle } from '../lifecycle/index.ts'
import type { Log } from '../telemetry/log/log.ts'
import { readTexts, watchFiles } from './watch-files.ts'

/** The certificate of `TLS_CERT` and `TLS_KEY`. */
export interface OpenCertificate {
  /** The certificate at the start. */
  readonly certificate: Certificate
  /** When the certificate in use expires, or the first of its chain, in ms since 1970. */
  expiresAt(): number
  /** From now on, calls back whenever the files have changed to a valid certificate with its key. */
  onChange(reload: (certificate: Certificate) => void | Promise<void>): void
}

/**
 * Reads `TLS_CERT` and `TLS_KEY`.
 *
 * @returns undefined when they are not set
 * @throws when a file cannot be read, or the files are not a certificate and its key
 */
export async function openCertificate(
  lifecycle: Lifecycle,
  { TLS_CERT, TLS_KEY, FILE_WATCH_INTERVAL }: Config,
  log: Log,
): Promise<OpenCertificate | undefined> {
  if (TLS_CERT === undefined || TLS_KEY === undefined) return undefined
  // Loaded only with TLS: node:crypto slows down a start more than any other module.
  const { createPrivateKey, X509Certificate } = await import('node:crypto')
  const parseCertificate = ([cert = '', key = '']: readonly string[]): Certificate => {
    // OpenSSL's own error does not explain that key and certificate do not match.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error('TLS_KEY is not the key of TLS_CERT')
    return { cert, key }
  }
  const expiryOf = ({ cert }: Certificate): number =>
    Math.min(...splitChain(cert).map((each) => new X509Certificate(each).validToDate.getTime()))
  const paths = [TLS_CERT, TLS_KEY]
  const texts = await readTexts(paths)
  const certificate = parseCertificate(texts)
  let expiresAt = expiryOf(certificate)
  return {
    certificate,
    expiresAt: () => expiresAt,
    onChange(reload) {
      const apply = async (changed: readonly string[]): Promise<void> => {
        const next = parseCertificate(changed)
        const { validTo, subject } = new X509Certificate(next.cert)
        log.info('certificate changed, reloading', { subject, valid_to: validTo })
        // New connections get it at once; the reload ends with the last connection that uses the previous certificate.
        const before = expiresAt
        expiresAt = expiryOf(next)
        try {
          await reload(next)
        } catch (error) {
          expiresAt = before
          throw error
        }
      }
      const onError = (error: unknown): void =>
        log.error('certificate reload failed, keeping the current one', { error })
      const stopWatching = watchFiles(paths, texts, apply, onError, FILE_WATCH_INTERVAL)
      lifecycle.onClose('certificate', async () => stopWatching())
    },
  }
}

/** The certificates of a PEM file, which may have text between them. */
function splitChain(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [pem]
}
