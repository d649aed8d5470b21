import { BlockList, isIP } from 'node:net'
import { elementsFromEnd, FieldScanner } from '../headers/field-scanner.ts'

/** The header that trusted proxies write; a client may have sent the other one. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/**
 * Makes the function that finds a client's address. Without trusted proxies it is the address of the connection. Each
 * proxy appends the address that it was called from, so the list is read from its end, as long as its addresses are
 * trusted; what stands before may be forged.
 *
 * @param trusted networks such as `10.0.0.0/8`, or single addresses
 * @throws for anything else
 */
export function createClientAddress(
  trusted: readonly string[],
  header: ForwardedHeader,
): (headers: Headers, peer: string | undefined) => string | undefined {
  const networks = new BlockList()
  for (const network of trusted) {
    const { address, bits } = parseNetwork(network) ?? fail(network)
    networks.addSubnet(address, bits, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  const isTrusted = (address: string): boolean =>
    networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

  return (headers, peer) => {
    let client = peer === undefined ? undefined : unmapIpv4(peer)
    if (trusted.length === 0) return client
    const value = headers.get(header)
    if (value === null) return client
    // X-Forwarded-For knows no quoted strings, so every comma of it separates.
    const elements = header === 'forwarded' ? elementsFromEnd(value) : value.split(',').reverse()
    for (const element of elements) {
      if (client === undefined || !isTrusted(client)) return client
      if (element.trim() === '') continue
      const node = header === 'forwarded' ? forwardedNode(element) : element
      // When a proxy hides the address (`unknown`, `_hidden`), the proxy is the closest known client.
      const address = node === undefined ? undefined : parseAddress(node)
      if (address === undefined) return client
      client = address
    }
    return client
  }
}

/** An address and the length of its prefix. */
function parseNetwork(text: string): { address: string; bits: number } | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const longest = { 4: 32, 6: 128, 0: -1 }[isIP(address) as 0 | 4 | 6]
  const length = bits === undefined ? longest : Number(bits)
  return length < 0 || length > longest ? undefined : { address, bits: length }
}

function fail(network: string): never {
  throw new Error(`${network} is not a network such as 10.0.0.0/8`)
}

/** Parses `1.2.3.4`, `1.2.3.4:5678`, `::1` or `[::1]:5678`. A port may be hidden: `1.2.3.4:_port` (RFC 7239 §6). */
function parseAddress(text: string): string | undefined {
  const bare = text.trim().replace(/^"(.*)"$/, '$1')
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(?:\d+|_[\w.-]+))?$/.exec(bare) ?? []
  const address = unmapIpv4((bracketed ?? dotted ?? bare).toLowerCase())
  return isIP(address) === 0 || address.includes('%') ? undefined : address
}

const mappedPrefix = '::ffff:'

/** The IPv4 address of an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2), which a dual-stack socket reports. */
function unmapIpv4(address: string): string {
  return address.startsWith(mappedPrefix) && address.includes('.')
    ? address.slice(mappedPrefix.length)
    : address
}

/** The `for` of one element of Forwarded (RFC 7239 §4); undefined without one, and for an element that is malformed. */
function forwardedNode(element: string): string | undefined {
  const scanner = new FieldScanner(element)
  let node: string | undefined
  for (;;) {
    scanner.skipSpace()
    if (scanner.isAtEnd) return node
    if (scanner.take(';')) continue
    const name = scanner.token()
    const value = scanner.take('=') ? (scanner.quotedString() ?? scanner.unquotedText()) : undefined
    if (name === undefined || value === undefined) return undefined
    if (name.toLowerCase() === 'for') {
      // A parameter must not occur twice; which one the proxy wrote is unknown.
      if (node !== undefined) return undefined
      node = value
    }
    scanner.skipSpace()
    if (!scanner.isAtEnd && !scanner.take(';')) return undefined
  }
}
