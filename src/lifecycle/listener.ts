import { attachBpf, type BpfInstruction, bpf } from './bpf.ts'
import type { Clock } from './clock.ts'
import { listListeners, setSocketOption, setTcpOption } from './sockets.ts'

/** Constants of Linux under the names of its headers: asm-generic/socket.h and netinet/tcp.h. */
const linux = { TCP_DEFER_ACCEPT: 9, SO_RCVBUF: 8, SO_ATTACH_FILTER: 26 } as const

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

/** How long the connections in the accept queue may take to be accepted, in ms. */
const acceptTimeoutMs = 250

/** One turn of the event loop, with a margin, in ms. */
const turnMs = 10

/**
 * Accepts no new connection, and waits until every existing connection is accepted and its first bytes are read.
 * Closing the listener then resets no client.
 *
 * Closing a listener resets the connections in its accept queue, including those that have sent a request. Clients that
 * keep connecting keep the queue filled. So a socket filter drops SYN packets first. A client that connects now sends
 * its SYN again after a second, as TCP does, and is refused then without having sent anything.
 *
 * A kernel may refuse the filter to a process without CAP_NET_ADMIN, for example in a container that drops all
 * capabilities. Then only a balancer that has stopped sending connections keeps the queue empty.
 *
 * @returns whether new connections are kept out
 */
export async function drainAcceptQueue(port: number, clock: Clock): Promise<boolean> {
  const deadline = clock.now() + acceptTimeoutMs
  const keptOut = listListeners(port).map(({ fd }) => attachBpf(fd, linux.SO_ATTACH_FILTER, dropSyn))
  do await clock.sleep(turnMs)
  while (listListeners(port).some(({ queued }) => queued > 0) && clock.now() < deadline)
  // An accepted connection is not read yet: its bytes need one more turn.
  await clock.sleep(turnMs)
  return keptOut.length > 0 && keptOut.every((attached) => attached)
}

/** Drops packets with the SYN flag. The flags of a TCP header are at offset 13. */
const dropSyn: readonly BpfInstruction[] = [
  [bpf.loadByte, 0, 0, 13],
  [bpf.jumpIfAnyBit, 0, 1, 0x02],
  [bpf.returnConstant, 0, 0, 0],
  [bpf.returnConstant, 0, 0, 0xffff_ffff],
]
