import { attachBpf, type BpfInstruction, bpf } from './bpf.ts'
import type { Clock } from './clock.ts'
import {
  getNumberOption,
  listListeners,
  listTcpSockets,
  setNumberOption,
  setSocketOption,
  setTcpOption,
} from './sockets.ts'

/** Constants of Linux under the names of its headers: asm-generic/socket.h, netinet/tcp.h, linux/in.h and linux/in6.h. */
const linux = {
  TCP_DEFER_ACCEPT: 9,
  SO_RCVBUF: 8,
  SO_ATTACH_FILTER: 26,
  IPPROTO_IP: 0,
  IP_MINTTL: 21,
  IPPROTO_IPV6: 41,
  IPV6_MINHOPCOUNT: 73,
} as const

/**
 * Accepts connections that have sent nothing yet. Bun defers them in the kernel for up to a second
 * (TCP_DEFER_ACCEPT). There they are not counted, and closing the listener drops them without notice: the client would
 * notice only with its first request.
 */
export function disableDeferAccept(port: number): void {
  for (const { fd } of listListeners(port)) setTcpOption(fd, linux.TCP_DEFER_ACCEPT, 0)
}

/**
 * Limits the bytes that the kernel receives ahead for each new connection (SO_RCVBUF). The kernel doubles the value, for its own
 * bookkeeping.
 *
 * Bun reads a connection until a read returns less than its own buffer holds. A fast sender of a large body keeps the
 * event loop busy for as long as it can refill a kernel buffer of that size or more. With a smaller buffer, other
 * connections get their turn after every read. The limit also bounds the memory of an unread body.
 */
export function limitReceiveBuffer(port: number, bytes: number): void {
  const value = new Uint8Array(Int32Array.of(bytes).buffer)
  for (const { fd } of listListeners(port)) setSocketOption(fd, linux.SO_RCVBUF, value)
}

/** One turn of the event loop, with a margin, in ms. */
const turnMs = 10

/**
 * The most turns that connections in the accept queue may take to be accepted, and accepted ones to send their first bytes:
 * half a second. Turns and not a deadline, because on a busy machine this process and its clients are both late.
 */
const maxTurns = 50

/**
 * Accepts no new connection, and waits until every existing connection is accepted, has sent something, and its first bytes
 * are read. Closing the listener then resets no client.
 *
 * Closing a listener resets the connections in its accept queue, including those that have sent a request. Clients that
 * keep connecting keep the queue filled. So the kernel drops their SYN packets first. A client that connects now sends
 * its SYN again after a second, as TCP does, and is refused then without having sent anything.
 *
 * @param ways tried in order for each listener
 * @returns whether new connections are kept out
 */
export async function drainAcceptQueue(
  port: number,
  clock: Clock,
  ways: readonly DropSyn[] = [dropSynByFilter, dropSynByTtl],
): Promise<boolean> {
  const keptOut = listListeners(port).map(({ fd }) => ways.some((drop) => drop(fd)))
  let dropped = false
  let turns = 0
  do {
    await clock.sleep(turnMs)
    dropped = acceptAnyTtl(port) || dropped
  } while (isAwaited(port) && ++turns < maxTurns)
  // An accepted connection is not read yet: its bytes need one more turn.
  await clock.sleep(turnMs)
  dropped = acceptAnyTtl(port) || dropped
  if (dropped) await clock.sleep(retransmitMs)
  return keptOut.length > 0 && keptOut.every((isKeptOut) => isKeptOut)
}

/** Whether a connection waits to be accepted, or has not sent anything. */
function isAwaited(port: number): boolean {
  return (listTcpSockets(port) ?? []).some(({ queued, silent }) => queued > 0 || silent)
}

/** Makes a listener drop new connections and keep those whose handshake has begun. False if the kernel refuses. */
type DropSyn = (fd: number) => boolean

/** By a socket filter. Some kernels refuse it to a process without CAP_NET_ADMIN, so in most containers. */
const dropSynByFilter: DropSyn = (fd) => attachBpf(fd, linux.SO_ATTACH_FILTER, dropSyn)

/** The highest time to live of a packet. Systems start with 64 or 128, and each router subtracts one. */
const maxTtl = 255

/**
 * By a minimum time to live that no packet has, unless a neighbor on the same network starts with 255. It needs no
 * capability. The kernel checks it for packets to the listener, not for those that complete a handshake, but the new
 * connection inherits it: see `acceptAnyTtl`.
 */
export const dropSynByTtl: DropSyn = (fd) => {
  const ipv4 = setNumberOption(fd, linux.IPPROTO_IP, linux.IP_MINTTL, maxTtl)
  // Refused for a listener of IPv4. One of IPv6 may take both.
  const ipv6 = setNumberOption(fd, linux.IPPROTO_IPV6, linux.IPV6_MINHOPCOUNT, maxTtl)
  return ipv4 || ipv6
}

/** A client sends dropped data again after TCP_RTO_MIN and up to two round trips, in ms. */
const retransmitMs = 300

/** Undoes `dropSynByTtl` on connections. Returns whether there was one, whose first data may have been dropped. */
function acceptAnyTtl(port: number): boolean {
  let changed = false
  for (const { fd, state } of listTcpSockets(port) ?? []) {
    if (state === 'listen') continue
    for (const [level, option] of [
      [linux.IPPROTO_IP, linux.IP_MINTTL],
      [linux.IPPROTO_IPV6, linux.IPV6_MINHOPCOUNT],
    ] as const)
      if (getNumberOption(fd, level, option) === maxTtl)
        changed = setNumberOption(fd, level, option, 0) || changed
  }
  return changed
}

/** Drops packets with the SYN flag. The flags of a TCP header are at offset 13. */
const dropSyn: readonly BpfInstruction[] = [
  [bpf.loadByte, 0, 0, 13],
  [bpf.jumpIfAnyBit, 0, 1, 0x02],
  [bpf.returnConstant, 0, 0, 0],
  [bpf.returnConstant, 0, 0, 0xffff_ffff],
]
