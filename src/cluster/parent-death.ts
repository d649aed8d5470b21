/** Constants of Linux under the names of its headers: sys/prctl.h and signal.h. */
const linux = { PR_SET_PDEATHSIG: 1, SIGCONT: 18 } as const

/**
 * Makes this process drain and exit when the supervisor is gone for any reason, so that it does not keep the port. Call
 * it before anything else.
 *
 * The channel to the supervisor closes with it. A process that is suspended at that moment (SIGSTOP) would not notice,
 * so the kernel sends it SIGCONT when its parent dies.
 */
export function endWithSupervisor(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  continueAtParentDeath()
}

function continueAtParentDeath(): void {
  if (process.platform !== 'linux') return
  const { dlopen } = process.getBuiltinModule('bun:ffi') as typeof import('bun:ffi')
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]) {
    try {
      const { symbols } = dlopen(name, { prctl: { args: ['i32', 'u64'], returns: 'i32' } })
      symbols.prctl(linux.PR_SET_PDEATHSIG, BigInt(linux.SIGCONT))
      return
    } catch {
      // Another C library, or a system that forbids FFI. Then a suspended process stays until it is continued.
    }
  }
}
