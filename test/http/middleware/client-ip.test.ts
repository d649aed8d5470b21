import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import parseForwarded from 'forwarded-parse'
import { createClientAddress } from '../../../src/http/middleware/client-ip.ts'

describe("a client's address", () => {
  const headers = (name: string, value: string) => new Headers({ [name]: value })

  test('is the address of the connection without trusted proxies, and headers of the client are ignored', () => {
    const findAddress = createClientAddress([], 'x-forwarded-for')
    expect(findAddress(headers('x-forwarded-for', '198.51.100.1'), '192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(new Headers(), '::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(new Headers(), undefined)).toBeUndefined()
  })

  for (const [list, expected] of [
    ['198.51.100.1', '198.51.100.1'],
    // A forged address stands to the left of the one that the proxy saw.
    ['127.0.0.1, 203.0.113.9, 198.51.100.1', '198.51.100.1'],
    ['10.0.0.1, 198.51.100.1', '198.51.100.1'],
    ['198.51.100.1, 10.0.0.1, 10.0.0.2', '198.51.100.1'],
    ['10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['198.51.100.1:4711', '198.51.100.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['::ffff:198.51.100.1', '198.51.100.1'],
    ['198.51.100.1, unknown', '10.9.9.9'],
    ['198.51.100.1, 10.0.0.1, <script>', '10.9.9.9'],
    ['', '10.9.9.9'],
    [',,,', '10.9.9.9'],
  ] as const)
    test(`behind trusted proxies with X-Forwarded-For: ${list} is ${expected}`, () => {
      const findAddress = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
      expect(findAddress(headers('x-forwarded-for', list), '10.9.9.9')).toBe(expected)
    })

  for (const [list, expected] of [
    ['for=198.51.100.1', '198.51.100.1'],
    ['for=127.0.0.1, For="198.51.100.1:4711";proto=https;by=10.0.0.1', '198.51.100.1'],
    ['proto=https;for="[2001:db8::1]:4711"', '2001:db8::1'],
    ['for=198.51.100.1, for=10.0.0.1', '198.51.100.1'],
    ['for=198.51.100.1, for=_hidden', '10.9.9.9'],
    ['for=198.51.100.1, proto=https', '10.9.9.9'],
    ['host="a;for=6.6.6.1;b";for=198.51.100.1', '198.51.100.1'],
    ['for=198.51.100.1;host="a, for=6.6.6.1"', '198.51.100.1'],
    ['for=198.51.100.1;host="a\\", for=6.6.6.1"', '198.51.100.1'],
    ['for=6.6.6.1;host="a\\\\", for=198.51.100.1', '198.51.100.1'],
    ['host="open, for=198.51.100.1', '198.51.100.1'],
    ['for="198.51.100.1:_port"', '198.51.100.1'],
    ['for=198.51.100.1:4711', '198.51.100.1'],
    ['for=[2001:db8::1]', '2001:db8::1'],
    ['FOR = 198.51.100.1', '10.9.9.9'],
    ['for=6.6.6.1;for=198.51.100.1', '10.9.9.9'],
    ['xfor=198.51.100.1', '10.9.9.9'],
    [' ,for=198.51.100.1 ;; proto=http ; , ', '198.51.100.1'],
  ] as const)
    test(`behind trusted proxies with Forwarded: ${list} is ${expected}`, () => {
      const findAddress = createClientAddress(['10.0.0.0/8'], 'forwarded')
      expect(findAddress(headers('forwarded', list), '10.9.9.9')).toBe(expected)
    })

  test('is not taken from the other header, which the proxies pass on unchanged', () => {
    const findAddress = createClientAddress(['10.0.0.0/8'], 'x-forwarded-for')
    expect(findAddress(headers('forwarded', 'for=198.51.100.1'), '10.9.9.9')).toBe('10.9.9.9')
  })

  test('is not taken from a peer that is not trusted', () => {
    const findAddress = createClientAddress(['10.0.0.0/8', 'fd00::/8', '192.0.2.7'], 'x-forwarded-for')
    const forwarded = headers('x-forwarded-for', '198.51.100.1')
    expect(findAddress(forwarded, '192.0.2.1')).toBe('192.0.2.1')
    expect(findAddress(forwarded, '2001:db8::1')).toBe('2001:db8::1')
    for (const proxy of ['10.255.0.1', '::ffff:10.0.0.1', 'fd12::1', '192.0.2.7'])
      expect(findAddress(forwarded, proxy)).toBe('198.51.100.1')
  })

  test('is the one that an independent parser of Forwarded finds', () => {
    const findAddress = createClientAddress(['10.0.0.0/8'], 'forwarded')
    fc.assert(
      fc.property(forwardedElements, (elements) => {
        const value = elements.join(', ')
        const nodes = parseForwarded(value).map(({ for: node }) => node)
        expect(findAddress(headers('forwarded', value), '10.9.9.9')).toBe(walk(nodes, '10.9.9.9'))
      }),
      { numRuns: 2_000 },
    )
  })

  test('ignores entries to the left of those that the proxies appended', () => {
    const findAddress = createClientAddress(['10.0.0.0/8'], 'forwarded')
    fc.assert(
      fc.property(fc.string({ unit: valueChar, maxLength: 20 }), forwardedElements, (left, elements) => {
        const value = ['for=192.0.2.99;proto=https', ...elements].join(', ')
        const expected = walk(
          parseForwarded(value).map(({ for: node }) => node),
          '10.9.9.9',
        )
        expect(findAddress(headers('forwarded', `${left}, ${value}`), '10.9.9.9')).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })
})

const nodes = ['192.0.2.1', '10.0.0.1', '10.0.0.2:80', '[2001:db8::1]:443', '_hidden', 'unknown']
const valueChar = fc.oneof(
  fc.constantFrom(...'",;=\\ for'),
  fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
)
const quotedText = fc
  .string({ unit: valueChar, maxLength: 20 })
  .map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`)
/** Elements as proxies write them; a host may be any text, since clients choose it. */
const forwardedElements = fc.array(
  fc
    .record({
      node: fc.constantFrom(...nodes).map((node) => (/[[:]/.test(node) ? `"${node}"` : node)),
      name: fc.constantFrom('for', 'For', 'FOR'),
      host: fc.option(quotedText),
      proto: fc.constantFrom(undefined, 'proto=https'),
      isLast: fc.boolean(),
    })
    .map(({ node, name, host, proto, isLast }) => {
      const others = [...(host === null ? [] : [`host=${host}`]), ...(proto === undefined ? [] : [proto])]
      return (isLast ? [...others, `${name}=${node}`] : [`${name}=${node}`, ...others]).join(';')
    }),
  { minLength: 1, maxLength: 5 },
)

/** The address of the client by the nodes that proxies in 10.0.0.0/8 report. */
function walk(reported: readonly (string | undefined)[], peer: string): string {
  let client = peer
  for (const node of reported.toReversed()) {
    if (!client.startsWith('10.')) return client
    const address = node?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
    if (address === undefined || address === 'unknown' || address.startsWith('_')) return client
    client = address
  }
  return client
}
