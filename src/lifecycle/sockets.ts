import type { dlopen } from 'bun:ffi'

/** A TCP socket of this process, as the kernel tells it. */
export interface TcpSocket {
  readonly fd: number
  readonly state: 'established' | 'close-wait' | 'listen' | 'other'
  /** Of a listening socket: connections that are complete and not accepted yet. */
  readonly queued: number
}

/** Linux's own numbers: sys/socket.h, netinet/in.h and netinet/tcp.h. */
const SOL_SOCKET = 1
const IPPROTO_TCP = 6
const TCP_INFO = 11
const states: Readonly<Record<number, TcpSocket['state']>> = {
  1: 'established',
  8: 'close-wait',
  10: 'listen',
}

const names = {
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

const libraries = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]

type Ffi = typeof import('bun:ffi')
type Libc = ReturnType<typeof dlopen<typeof names>>['symbols']
let opened: { readonly libc: Libc | undefined } | undefined

/** Not imported: nobody needs it until the server listens, and a start would wait 0.8 ms for it. */
function ffi(): Ffi {
  return process.getBuiltinModule('bun:ffi') as Ffi
}

/** Where bytes are in memory: for a structure that names them. They must be kept for as long as it is used. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(ffi().ptr(bytes))
}

/** The C library's socket calls, which Bun has no API for; undefined where they cannot be had. */
function libc(): Libc | undefined {
  opened ??= { libc: openLibc() }
  return opened.libc
}

function openLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined
  for (const library of libraries) {
    try {
      return ffi().dlopen(library, names).symbols
    } catch {
      // Another C library, or a system that forbids it: the caller manages without.
    }
  }
  return undefined
}

/**
 * The TCP sockets of this process with that local port, listening ones included.
 *
 * Why not /proc/self/net/tcp: it has a row for every connection of the network namespace also while it
 * is in TIME_WAIT, so an instance that served new connections for a minute pays for all of them: with
 * 125,000 such rows one look held the event loop for half a second. This costs what is open now, and
 * knows its own connections from those of another process on the same port.
 *
 * @returns undefined where the platform does not tell.
 */
export function socketsOn(port: number): TcpSocket[] | undefined {
  const c = libc()
  if (c === undefined) return undefined
  const found: TcpSocket[] = []
  const addressBytes = new Uint8Array(28)
  const address = new DataView(addressBytes.buffer)
  const infoBytes = new Uint8Array(32)
  const info = new DataView(infoBytes.buffer)
  const length = new Uint32Array(1)
  // Loaded only here: node:fs would make a start longer by 2 ms.
  for (const name of process.getBuiltinModule('node:fs').readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    length[0] = address.byteLength
    // sockaddr_in and sockaddr_in6 both have the port in network order behind two bytes of family.
    if (c.getsockname(fd, addressBytes, length) !== 0 || address.getUint16(2) !== port) continue
    length[0] = info.byteLength
    if (c.getsockopt(fd, IPPROTO_TCP, TCP_INFO, infoBytes, length) !== 0) continue
    const state = states[info.getUint8(0)] ?? 'other'
    // tcpi_unacked, which of a listening socket is the length of its accept queue (tcp_get_info).
    found.push({ fd, state, queued: state === 'listen' ? info.getUint32(24, true) : 0 })
  }
  return found
}

/** setsockopt(2) of an integer at IPPROTO_TCP. @returns whether the kernel took it. */
export function setTcpOption(fd: number, option: number, value: number): boolean {
  const bytes = Int32Array.of(value)
  return libc()?.setsockopt(fd, IPPROTO_TCP, option, bytes, bytes.byteLength) === 0
}

/** setsockopt(2) of a structure at SOL_SOCKET. @returns whether the kernel took it. */
export function setSocketOption(fd: number, option: number, value: Uint8Array): boolean {
  return libc()?.setsockopt(fd, SOL_SOCKET, option, value, value.byteLength) === 0
}
