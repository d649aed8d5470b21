import type { dlopen } from 'bun:ffi'

/** Constants of Linux under the names of its headers: sys/prctl.h, signal.h and time.h. */
const linux = {
  PR_SET_PDEATHSIG: 1,
  SIGKILL: 9,
  SIGCONT: 18,
  SIGEV_SIGNAL: 0,
  CLOCK_THREAD_CPUTIME_ID: 3,
} as const

const libcFunctions = {
  prctl: { args: ['i32', 'u64'], returns: 'i32' },
  timer_create: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  timer_settime: { args: ['ptr', 'i32', 'ptr', 'ptr'], returns: 'i32' },
} as const

type Ffi = typeof import('bun:ffi')
type Libc = ReturnType<typeof dlopen<typeof libcFunctions>>['symbols']

/** CPU time that no turn of the event loop takes, also not while it writes a large heap snapshot, in ms. */
const defaultMaxTurnMs = 120_000

/** How often the event loop shows that it turns, in ms. */
const turnIntervalMs = 1_000

/**
 * Makes this process drain and exit when the supervisor is gone for any reason, so that it does not keep the port. Call
 * it before anything else.
 *
 * The channel to the supervisor closes with it. Two kinds of processes would not notice, and the kernel ends those: one
 * that is suspended at that moment (SIGSTOP) is continued, and one in an endless loop is killed.
 *
 * @param maxTurnMs CPU time of one turn of the event loop after which it counts as endless, in ms. Default 120,000.
 */
export function endWithSupervisor(maxTurnMs = defaultMaxTurnMs): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  if (process.platform !== 'linux') return
  const ffi = process.getBuiltinModule('bun:ffi') as Ffi
  const libc = loadLibc(ffi)
  if (libc === undefined) return
  libc.prctl(linux.PR_SET_PDEATHSIG, BigInt(linux.SIGCONT))
  killInEndlessLoop(ffi, libc, maxTurnMs)
}

function loadLibc({ dlopen }: Ffi): Libc | undefined {
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]) {
    try {
      return dlopen(name, libcFunctions).symbols
    } catch {
      // Another C library, or a system that forbids FFI. Then only the closed channel ends it.
    }
  }
  return undefined
}

/**
 * Lets the kernel kill this process when its main thread has used `maxTurnMs` of CPU time without a turn of the event loop. CPU
 * time does not pass while a process is suspended or waits for a disk.
 */
function killInEndlessLoop({ ptr }: Ffi, libc: Libc, maxTurnMs: number): void {
  // struct sigevent: 8 bytes of a value, then the number of the signal, then how it is sent; 64 bytes in all.
  const event = new Int32Array(16)
  event[2] = linux.SIGKILL
  event[3] = linux.SIGEV_SIGNAL
  const timer = new BigUint64Array(1)
  if (libc.timer_create(linux.CLOCK_THREAD_CPUTIME_ID, ptr(event), ptr(timer)) !== 0) return
  const id = Number(timer[0])
  // struct itimerspec: interval, then value, each in seconds and nanoseconds.
  const seconds = Math.floor(maxTurnMs / 1_000)
  const times = BigInt64Array.of(0n, 0n, BigInt(seconds), BigInt((maxTurnMs - seconds * 1_000) * 1_000_000))
  const restart = (): void => void libc.timer_settime(id as never, 0, ptr(times), null)
  restart()
  setInterval(restart, turnIntervalMs).unref()
}
