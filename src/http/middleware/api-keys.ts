/** A key as the service knows it: by its hash, under the name of whoever has it. */
export interface ApiKey {
  readonly name: string
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Uint8Array
}

/** `name:hash`, the hash as 64 hexadecimal digits. */
const entryPattern = /^([\w.-]{1,64}):([0-9a-f]{64})$/i

/** SHA-256 of a key. No salt and no stretching, for a key is random and long: there is nothing to guess. */
export function hashOf(key: string): Uint8Array {
  const hash = new Uint8Array(Bun.SHA256.byteLength)
  Bun.SHA256.hash(key, hash)
  return hash
}

/**
 * Reads keys as `name:sha256` entries, with commas or line breaks between them; what follows a `#` is a remark.
 * A name may have several keys, so that one can be replaced without a gap.
 *
 * @throws Error naming the place of an entry that is none, never its text: it may be the key itself.
 */
export function parseApiKeys(text: string): ApiKey[] {
  const entries = text
    .split('\n')
    .flatMap((line) => line.replace(/#.*/, '').split(','))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  return entries.map((entry, i) => {
    const [, name, hash] = entryPattern.exec(entry) ?? []
    if (name === undefined || hash === undefined)
      throw new Error(`key ${i + 1} is not name:sha256, the hash as 64 hexadecimal digits`)
    return { name, hash: Uint8Array.fromHex(hash) }
  })
}

/**
 * The name that a key belongs to. Every known key is compared, each in constant time, so that the time taken tells
 * nothing about how near a guess was, or whose it was.
 *
 * @returns undefined for a key that nobody has
 */
export function nameOf(key: string, keys: readonly ApiKey[]): string | undefined {
  const given = hashOf(key)
  let name: string | undefined
  for (const known of keys) if (crypto.timingSafeEqual(given, known.hash)) name = known.name
  return name
}
