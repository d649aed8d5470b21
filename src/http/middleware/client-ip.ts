import { BlockList, isIP } from 'node:net'

/** Which header the proxies in front write: the other one may be whatever a client sent. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/**
 * Finds the address of the client. Without trusted proxies it is the peer's. Behind them it is what they have written
 * down: each appends whom it was asked by, so the list is read from its end, for as long as those in it are trusted;
 * what is left of that anybody may have invented.
 *
 * @param trusted networks as `10.0.0.0/8` or single addresses
 * @throws when one of them is neither
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
    let client = peer === undefined ? undefined : unmapped(peer)
    if (trusted.length === 0) return client
    const written = headers.get(header)
    const list = written === null ? [] : header === 'forwarded' ? forwardedFor(written) : written.split(',')
    while (client !== undefined && isTrusted(client)) {
      const next = list.pop()
      // A proxy that does not tell an address (`unknown`, `_hidden`) is the nearest thing to a client that is known.
      const address = next === undefined ? undefined : addressIn(next)
      if (address === undefined) return client
      client = address
    }
    return client
  }
}

/** An address and its bits, when it is a network. */
function parseNetwork(text: string): { address: string; bits: number } | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const longest = { 4: 32, 6: 128, 0: -1 }[isIP(address) as 0 | 4 | 6]
  const length = bits === undefined ? longest : Number(bits)
  return length < 0 || length > longest ? undefined : { address, bits: length }
}

function fail(network: string): never {
  throw new Error(`${network} is not a network such as 10.0.0.0/8`)
}

/** The address in `1.2.3.4`, `1.2.3.4:5678`, `::1` or `[::1]:5678`; of an IPv4 address in IPv6 the IPv4 one. */
function addressIn(text: string): string | undefined {
  const bare = text.trim().replace(/^"(.*)"$/, '$1')
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d+)?$/.exec(bare) ?? []
  const address = unmapped((bracketed ?? dotted ?? bare).toLowerCase())
  return isIP(address) === 0 || address.includes('%') ? undefined : address
}

const mapped = '::ffff:'

/** Of an IPv4 address in IPv6 (RFC 4291 §2.5.5.2), as a socket for both has it, the IPv4 one. */
function unmapped(address: string): string {
  return address.startsWith(mapped) && address.includes('.') ? address.slice(mapped.length) : address
}

/** Every `for` of a Forwarded header (RFC 7239), in order; an element without one counts as unknown. */
function forwardedFor(header: string): string[] {
  return header.split(',').map((element) => {
    const [, quoted, token] = /(?:^|;)\s*for=(?:"([^"]*)"|([^;\s]+))/i.exec(element) ?? []
    return quoted ?? token ?? 'unknown'
  })
}
