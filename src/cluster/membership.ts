/** The argument by which a server process knows that it is one of several on a port. */
export const memberArgument = 'member'

/** True in a process that a supervisor has started. */
export function isMember(argv: readonly string[]): boolean {
  return argv.includes(memberArgument)
}
