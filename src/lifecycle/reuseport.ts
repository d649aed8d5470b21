import { attachBpf, type BpfInstruction, bpf } from './bpf.ts'
import { listListeners, setSocketOption } from './sockets.ts'

/** Constants of Linux under the names of its headers: asm-generic/socket.h and linux/filter.h. */
const linux = {
  SO_ATTACH_REUSEPORT_CBPF: 51,
  SO_DETACH_REUSEPORT_BPF: 68,
  SKF_AD_OFF: 0xffff_f000,
  SKF_AD_RANDOM: 56,
} as const

/**
 * Steers the new connections of a port that several listeners share (SO_REUSEPORT).
 *
 * Each listener has its own accept queue. When a process closes its listener, the kernel resets the connections in that
 * queue. So a classic BPF program on the group of listeners first steers new connections to the other listeners. That
 * needs no privilege. The sysctl `net.ipv4.tcp_migrate_req=1` has the same effect, where an operator can set it.
 */
export interface Steering {
  /**
   * Sends new connections to every listener of the group but one.
   *
   * @param index position of the listener in the group, in the order of the kernel
   * @param size number of listeners in the group, at least 2
   * @throws when the kernel refuses
   */
  exclude(index: number, size: number): void
  /** Sends new connections to every listener again. @throws when the kernel refuses */
  reset(): void
}

/**
 * Opens the steering of a port, through the listener of this process.
 *
 * @throws when the platform cannot list sockets, or this process does not listen on the port
 * @example openSteering(8000).exclude(0, 2) // all new connections go to the second of two listeners
 */
export function openSteering(port: number): Steering {
  const [listener] = listListeners(port)
  if (listener === undefined) throw new Error(`this process has no known listener on port ${port}`)
  const check = (accepted: boolean, option: number): void => {
    if (!accepted)
      throw new Error(`the kernel refused socket option ${option} on the listener of port ${port}`)
  }
  return {
    exclude(index, size) {
      const option = linux.SO_ATTACH_REUSEPORT_CBPF
      check(attachBpf(listener.fd, option, selectOther(index, size)), option)
    },
    reset() {
      const option = linux.SO_DETACH_REUSEPORT_BPF
      check(setSocketOption(listener.fd, option, new Uint8Array(4)), option)
    },
  }
}

/** A program that returns a random index below `size`, but never `index`. */
function selectOther(index: number, size: number): BpfInstruction[] {
  return [
    [bpf.loadWord, 0, 0, linux.SKF_AD_OFF + linux.SKF_AD_RANDOM],
    [bpf.moduloConstant, 0, 0, size - 1],
    [bpf.jumpIfAtLeast, 0, 1, index],
    [bpf.addConstant, 0, 0, 1],
    [bpf.returnAccumulator, 0, 0, 0],
  ]
}
