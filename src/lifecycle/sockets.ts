import type { dlopen } from 'bun:ffi'

/** A TCP socket of this process, as the kernel describes it. */
export interface TcpSocket {
  readonly fd: number
  readonly state: 'established' | 'close-wait' | 'listen' | 'other'
  /** Of a listening socket: complete connections that are not accepted yet. */
  readonly queued: number
  /** An open connection whose client has sent nothing yet. */
  readonly silent: boolean
}

/** Constants of Linux under the names of its headers: sys/socket.h, netinet/in.h and netinet/tcp.h. */
const linux = { SOL_SOCKET: 1, IPPROTO_TCP: 6, TCP_INFO: 11 } as const

/** `tcpi_state` of `struct tcp_info`. */
const stateNames: Readonly<Record<number, TcpSocket['state']>> = {
  1: 'established',
  8: 'close-wait',
  10: 'listen',
}

/** The bytes of `struct tcp_info` up to and including `tcpi_bytes_received`. */
const infoLength = 136

const libcFunctions = {
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
} as const

const libcNames = ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]

type Ffi = typeof import('bun:ffi')
type Libc = ReturnType<typeof dlopen<typeof libcFunctions>>['symbols']
let loaded: { readonly libc: Libc | undefined } | undefined

/** Loaded at first use, because only a running server needs it, and a start need not wait for it. */
function ffi(): Ffi {
  return process.getBuiltinModule('bun:ffi') as Ffi
}

/** The address of bytes in memory. The caller must keep the bytes referenced while the address is in use. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(ffi().ptr(bytes))
}

/** The socket functions of the C library, for which Bun has no API; undefined where they are not available. */
function libc(): Libc | undefined {
  loaded ??= { libc: loadLibc() }
  return loaded.libc
}

function loadLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined
  for (const name of libcNames) {
    try {
      return ffi().dlopen(name, libcFunctions).symbols
    } catch {
      // Another C library, or a system that forbids FFI. The callers work without it.
    }
  }
  return undefined
}

/**
 * Lists the TCP sockets of this process with a local port, listening sockets included.
 *
 * Why not /proc/self/net/tcp: that file has a row for every connection of the network namespace, including those in
 * TIME_WAIT. After a minute of short connections, reading it would block the event loop for too long. It also does
 * not separate the connections of this process from those of another process on the same port.
 *
 * @returns undefined where the platform cannot list them
 */
export function listTcpSockets(port: number): TcpSocket[] | undefined {
  const c = libc()
  if (c === undefined) return undefined
  const sockets: TcpSocket[] = []
  const addressBytes = new Uint8Array(28)
  const address = new DataView(addressBytes.buffer)
  const infoBytes = new Uint8Array(infoLength)
  const info = new DataView(infoBytes.buffer)
  const length = new Uint32Array(1)
  for (const fd of listDescriptors(c)) {
    length[0] = address.byteLength
    // sockaddr_in and sockaddr_in6 both have the port in network order after two bytes of address family.
    if (c.getsockname(fd, addressBytes, length) !== 0 || address.getUint16(2) !== port) continue
    length[0] = info.byteLength
    if (c.getsockopt(fd, linux.IPPROTO_TCP, linux.TCP_INFO, infoBytes, length) !== 0) continue
    const state = stateNames[info.getUint8(0)] ?? 'other'
    sockets.push({
      fd,
      state,
      // tcpi_unacked, which holds the length of the accept queue for a listening socket (tcp_get_info).
      queued: state === 'listen' ? info.getUint32(24, true) : 0,
      // tcpi_bytes_received, since Linux 4.1.
      silent: state === 'established' && length[0] === infoLength && info.getBigUint64(128, true) === 0n,
    })
  }
  return sockets
}

/** This many numbers in a row without a socket show that no more sockets follow. */
const maxNumbersBetweenSockets = 1_024

/** Lists the file descriptors of this process; when all are in use, only those of sockets, because a folder needs one to be read. */
function listDescriptors(c: Libc): number[] {
  try {
    // Loaded at first use, like bun:ffi.
    return process.getBuiltinModule('node:fs').readdirSync('/proc/self/fd').map(Number)
  } catch (error) {
    if (!['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  const sockets: number[] = []
  const address = new Uint8Array(28)
  for (let fd = 0, others = 0; others < maxNumbersBetweenSockets; fd++) {
    const isSocket = c.getsockname(fd, address, Uint32Array.of(address.byteLength)) === 0
    others = isSocket ? 0 : others + 1
    if (isSocket) sockets.push(fd)
  }
  return sockets
}

/** Lists the listening sockets of this process on a port; none where the platform cannot list them. */
export function listListeners(port: number): TcpSocket[] {
  return (listTcpSockets(port) ?? []).filter(({ state }) => state === 'listen')
}

/** setsockopt(2) of an integer at a level, such as IPPROTO_IP. @returns whether the kernel accepted it */
export function setNumberOption(fd: number, level: number, option: number, value: number): boolean {
  const bytes = Int32Array.of(value)
  return libc()?.setsockopt(fd, level, option, bytes, bytes.byteLength) === 0
}

/** getsockopt(2) of an integer. @returns undefined if the socket does not have this option */
export function getNumberOption(fd: number, level: number, option: number): number | undefined {
  const bytes = new Int32Array(1)
  const length = Uint32Array.of(bytes.byteLength)
  return libc()?.getsockopt(fd, level, option, bytes, length) === 0 ? bytes[0] : undefined
}

/** setsockopt(2) of an integer at IPPROTO_TCP. @returns whether the kernel accepted it */
export function setTcpOption(fd: number, option: number, value: number): boolean {
  return setNumberOption(fd, linux.IPPROTO_TCP, option, value)
}

/** setsockopt(2) of a structure at SOL_SOCKET. @returns whether the kernel accepted it */
export function setSocketOption(fd: number, option: number, value: Uint8Array): boolean {
  return libc()?.setsockopt(fd, linux.SOL_SOCKET, option, value, value.byteLength) === 0
}
