/**
 * The order of the listeners in a SO_REUSEPORT group, as the kernel keeps it (net/core/sock_reuseport.c):
 * a new listener is put last; when one is closed, the last takes its place.
 */
export class ListenerGroup<Member> {
  readonly #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  /** The place of a member, or -1. */
  indexOf(member: Member): number {
    return this.#members.indexOf(member)
  }

  opened(member: Member): void {
    this.#members.push(member)
  }

  closed(member: Member): void {
    const index = this.#members.indexOf(member)
    if (index === -1) return
    const last = this.#members.pop() as Member
    if (index < this.#members.length) this.#members[index] = last
  }

  /** Any member but one, to speak to the kernel for the group. */
  other(member: Member): Member | undefined {
    return this.#members.find((one) => one !== member)
  }
}
