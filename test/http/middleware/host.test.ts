import { describe, expect, test } from 'bun:test'
import { checkHost } from '../../../src/http/middleware/host.ts'

const check = (host: string) => checkHost('GET', 'http://localhost/', new Headers({ host }))

describe('a Host', () => {
  // The first call of this process, before any Host was valid.
  test.each(['', ' ', 'a b', 'a:123456', 'a:65536', '[::1', 'a/b'])('%p is refused', (host) => {
    expect(check(host)?.code).toBe('invalid-host')
  })

  test.each(['localhost', 'api.example.com:8000', '127.0.0.1:65535', '[::1]:8000'])(
    '%p is accepted',
    (host) => {
      expect(check(host)).toBeUndefined()
      expect(check('a b')?.code).toBe('invalid-host')
      expect(check(host)).toBeUndefined()
    },
  )
})
