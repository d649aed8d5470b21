import { addressOf, setSocketOption } from './sockets.ts'

/** An instruction of classic BPF: `struct sock_filter` of linux/filter.h. */
export type BpfInstruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number]

/** The instruction codes in use, from linux/bpf_common.h: class, size or operation, and mode, combined. */
export const bpf = {
  loadWord: 0x20,
  loadByte: 0x30,
  addConstant: 0x04,
  moduloConstant: 0x94,
  jumpIfAtLeast: 0x35,
  jumpIfAnyBit: 0x45,
  returnConstant: 0x06,
  returnAccumulator: 0x16,
} as const

/** `sizeof(struct sock_filter)`. */
const instructionBytes = 8

const maxInstructions = 8

/** Shared by all calls and never freed: the kernel reads the instructions by address during the system call. */
const instructionBuffer = new Uint8Array(maxInstructions * instructionBytes)

/**
 * Attaches a classic BPF program to a socket.
 *
 * @param option SO_ATTACH_FILTER or SO_ATTACH_REUSEPORT_CBPF
 * @param program at most 8 instructions
 * @returns whether the kernel accepted it
 */
export function attachBpf(fd: number, option: number, program: readonly BpfInstruction[]): boolean {
  if (program.length > maxInstructions)
    throw new RangeError(`A BPF program has at most ${maxInstructions} instructions here`)
  for (const [i, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    const view = new DataView(instructionBuffer.buffer, i * instructionBytes, instructionBytes)
    view.setUint16(0, code, true)
    view.setUint8(2, ifTrue)
    view.setUint8(3, ifFalse)
    view.setUint32(4, operand, true)
  }
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; } on a 64-bit machine.
  const header = new DataView(new ArrayBuffer(16))
  header.setUint16(0, program.length, true)
  header.setBigUint64(8, addressOf(instructionBuffer), true)
  return setSocketOption(fd, option, new Uint8Array(header.buffer))
}
