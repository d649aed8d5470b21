import { randomBytes } from 'node:crypto'
import { hashKey } from '../src/http/middleware/api-keys.ts'

// Creates an API key. Prints the key for its owner and the API_KEYS entry for the service, which stores only a hash.

const [name = ''] = process.argv.slice(2)
if (!/^[\w.-]{1,64}$/.test(name)) {
  console.error('usage: bun tools/api-key.ts NAME     (1 to 64 characters of A-Z a-z 0-9 _ . -)')
  process.exit(2)
}
// 256 random bits. The prefix lets secret scanners recognize a leaked key.
const key = `tally_${randomBytes(32).toString('base64url')}`
console.log(`key    ${key}`)
console.log(`entry  ${name}:${hashKey(key).toHex()}`)
