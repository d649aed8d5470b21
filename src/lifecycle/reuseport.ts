import { addressOf, setSocketOption, socketsOn } from './sockets.ts'

// From the kernel's headers: asm-generic/socket.h, linux/filter.h, linux/bpf_common.h.
const SO_ATTACH_REUSEPORT_CBPF = 51
const SO_DETACH_REUSEPORT_BPF = 68
const loadAbsoluteWord = 0x20
/** SKF_AD_OFF + SKF_AD_RANDOM: the "word of the packet" that is a random number. */
const randomNumber = 0xffff_f000 + 56
const moduloConstant = 0x94
const jumpIfAtLeast = 0x35
const addConstant = 0x04
const returnAccumulator = 0x16

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
 * @throws when the platform does not tell its sockets, or the process does not listen on that port.
 */
export function openSteering(port: number): Steering {
  const listener = socketsOn(port)?.find(({ state }) => state === 'listen')
  if (listener === undefined) throw new Error(`no listener of this process is known on port ${port}`)
  const set = (option: number, value: Uint8Array): void => {
    if (!setSocketOption(listener.fd, option, value))
      throw new Error(`the kernel refused socket option ${option} on the listener of port ${port}`)
  }
  return {
    away(index, size) {
      const instructions = skipping(index, size)
      set(SO_ATTACH_REUSEPORT_CBPF, programOf(instructions))
    },
    even() {
      set(SO_DETACH_REUSEPORT_BPF, new Uint8Array(4))
    },
  }
}

/** Kept for good: the structure that is handed to the kernel points into it. */
const instructionBytes = new Uint8Array(5 * 8)

/** A program that returns a random index below `size`, but never `index`. */
function skipping(index: number, size: number): Uint8Array {
  const instructions: [code: number, ifTrue: number, ifFalse: number, k: number][] = [
    [loadAbsoluteWord, 0, 0, randomNumber],
    [moduloConstant, 0, 0, size - 1],
    [jumpIfAtLeast, 0, 1, index],
    [addConstant, 0, 0, 1],
    [returnAccumulator, 0, 0, 0],
  ]
  for (const [i, [code, ifTrue, ifFalse, k]] of instructions.entries()) {
    const view = new DataView(instructionBytes.buffer, i * 8, 8)
    view.setUint16(0, code, true)
    view.setUint8(2, ifTrue)
    view.setUint8(3, ifFalse)
    view.setUint32(4, k, true)
  }
  return instructionBytes
}

/** struct sock_fprog { unsigned short len; struct sock_filter *filter; } on a 64-bit machine. */
function programOf(instructions: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(16))
  header.setUint16(0, instructions.byteLength / 8, true)
  header.setBigUint64(8, addressOf(instructions), true)
  return new Uint8Array(header.buffer)
}
