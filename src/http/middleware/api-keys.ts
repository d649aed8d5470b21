/** An API key: its hash, and the name of its holder. */
export interface ApiKey {
  readonly name: string
  /** SHA-256 of the key, 32 bytes. */
  readonly hash: Uint8Array
}

/** `name:hash`, the hash as 64 hexadecimal digits. */
const entryPattern = /^([\w.-]{1,64}):([0-9a-f]{64})$/i

/** SHA-256 of a key. Neither salted nor stretched: keys are long and random, so there is nothing to guess. */
export function hashKey(key: string): Uint8Array {
  const hash = new Uint8Array(Bun.SHA256.byteLength)
  Bun.SHA256.hash(key, hash)
  return hash
}

const emptyHash = hashKey('').toHex()

/**
 * Parses keys as `name:sha256` entries, separated by commas or line breaks; `#` begins a comment. A name may have several
 * keys, so that one can be replaced without a gap.
 *
 * @throws Error with the position of an invalid entry, never its text: that may be the key itself
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
      throw new Error(`key ${i + 1} must be name:sha256, the hash as 64 hexadecimal digits`)
    // The hash of an unset variable, which would give access to every client with an empty key.
    if (hash.toLowerCase() === emptyHash)
      throw new Error(`key ${i + 1} must not be the hash of an empty text`)
    return { name, hash: Uint8Array.fromHex(hash) }
  })
}

/**
 * Finds the name of a key's holder. Every known key is compared, each in constant time, so that the time taken reveals
 * neither how close a guess was nor whose key it resembles.
 *
 * @returns undefined for an unknown key
 */
export function findKeyName(key: string, keys: readonly ApiKey[]): string | undefined {
  const hash = hashKey(key)
  let name: string | undefined
  for (const known of keys) if (crypto.timingSafeEqual(hash, known.hash)) name = known.name
  return name
}
