import { dlopen, ptr } from 'bun:ffi'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

// From the kernel's headers: asm-generic/socket.h, linux/filter.h, linux/bpf_common.h.
const SOL_SOCKET = 1
const SO_ATTACH_REUSEPORT_CBPF = 51
const SO_DETACH_REUSEPORT_BPF = 68
const loadRandomWord = 0x20
const randomAncillary = 0xffff_f000 + 56
const moduloConstant = 0x94
const jumpIfAtLeast = 0x35
const addConstant = 0x04
const returnAccumulator = 0x16
const listenState = '0A'

/**
 * Steers new connections of a port that several processes share (SO_REUSEPORT).
 *
 * Each process has an accept queue of its own, and what waits in it when the process closes its listener
 * is reset by the kernel: one or two clients a stop, at a few thousand connections a second. So before a
 * process leaves, the kernel is told to send new connections to the others only, by a classic BPF program
 * on the group of listeners. That needs no privilege. (`net.ipv4.tcp_migrate_req=1` does the same, where
 * one may set it.)
 */
export interface Steering {
  /**
   * New connections go to every listener of the group but one.
   * @param index the listener's place in the group, see ListenerGroup.
   * @param size how many listeners the group has, at least 2.
   * @throws when the kernel refuses.
   */
  away(index: number, size: number): void
  /** New connections go to every listener again. */
  even(): void
}

/**
 * Steering through this process's own listener on a port.
 *
 * @throws when this is not Linux with glibc or musl, or the process does not listen on that port.
 */
export function openSteering(port: number): Steering {
  const fd = listenerFd(port)
  const { symbols } = openLibc()
  const set = (option: number, value: Uint8Array): void => {
    if (symbols.setsockopt(fd, SOL_SOCKET, option, ptr(value), value.byteLength) !== 0)
      throw new Error(`the kernel refused socket option ${option} on the listener of port ${port}`)
  }
  return {
    away(index, size) {
      const program = skipping(index, size)
      // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
      const header = new DataView(new ArrayBuffer(16))
      header.setUint16(0, program.byteLength / 8, true)
      header.setBigUint64(8, BigInt(ptr(program)), true)
      set(SO_ATTACH_REUSEPORT_CBPF, new Uint8Array(header.buffer))
    },
    even() {
      set(SO_DETACH_REUSEPORT_BPF, new Uint8Array(4))
    },
  }
}

/** A program that returns a random index below `size`, but never `index`. */
function skipping(index: number, size: number): Uint8Array {
  const instructions: [code: number, ifTrue: number, ifFalse: number, k: number][] = [
    [loadRandomWord, 0, 0, randomAncillary],
    [moduloConstant, 0, 0, size - 1],
    [jumpIfAtLeast, 0, 1, index],
    [addConstant, 0, 0, 1],
    [returnAccumulator, 0, 0, 0],
  ]
  const view = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [i, [code, ifTrue, ifFalse, k]] of instructions.entries()) {
    view.setUint16(i * 8, code, true)
    view.setUint8(i * 8 + 2, ifTrue)
    view.setUint8(i * 8 + 3, ifFalse)
    view.setUint32(i * 8 + 4, k, true)
  }
  return new Uint8Array(view.buffer)
}

/** The descriptor on which this process listens on a port: Bun does not tell, /proc does. */
function listenerFd(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = new Set<string>()
  for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    for (const line of readFileSync(file, 'latin1').split('\n')) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
      if (state === listenState && local.endsWith(suffix)) inodes.add(`socket:[${inode}]`)
    }
  }
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (inodes.has(readlinkSync(`/proc/self/fd/${fd}`))) return Number(fd)
    } catch {
      // Closed between the listing and the look.
    }
  }
  throw new Error(`this process does not listen on port ${port}`)
}

function openLibc() {
  const functions = {
    setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  } as const
  try {
    return dlopen('libc.so.6', functions)
  } catch {
    return dlopen('libc.so', functions)
  }
}
