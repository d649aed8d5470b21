/**
 * The SHA-256 of a body's text, in hexadecimal. It distinguishes a repeated request from another one with the same
 * `Idempotency-Key`.
 */
export function fingerprint(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}
