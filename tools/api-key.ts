import { randomBytes } from 'node:crypto'
import { hashKey } from '../src/http/middleware/api-keys.ts'

// Makes an API key: prints the key, for its owner, and the entry of API_KEYS, for the service, which never sees the key.

const [name = ''] = process.argv.slice(2)
if (!/^[\w.-]{1,64}$/.test(name)) {
  console.error('usage: bun tools/api-key.ts NAME     (1 to 64 characters of A-Z a-z 0-9 _ . -)')
  process.exit(2)
}
// 256 random bits. The prefix is for scanners that look for secrets where none should be.
const key = `tally_${randomBytes(32).toString('base64url')}`
console.log(`key    ${key}`)
console.log(`entry  ${name}:${hashKey(key).toHex()}`)
