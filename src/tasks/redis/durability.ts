import { DatabaseUnavailable } from '../../database/errors.ts'
import type { Durability, Unverified } from '../task-queue.ts'

/** The first version of Redis with PEXPIRETIME. */
const minVersion = 7

/** Sends a command to the server. */
type Send = (command: string, args: readonly string[]) => Promise<unknown>

/** What a server reports about itself. A managed one may not report all of it. */
interface ServerSettings {
  readonly version: string | undefined
  readonly appendonly: boolean | undefined
  /** In bytes; 0 is no limit. */
  readonly maxmemory: number | undefined
  readonly maxmemoryPolicy: string | undefined
}

/**
 * Whether a Redis server keeps what it has accepted, by its own report: INFO, and CONFIG for what is missing there.
 *
 * @param managed the platform keeps what the server has accepted, by other means than an append-only file
 * @throws DatabaseUnavailable when the server cannot be reached
 */
export async function checkDurability(send: Send, managed: boolean): Promise<Durability> {
  const { version, appendonly, maxmemory, maxmemoryPolicy } = await readSettings(send)
  if (Number.parseInt(version ?? '', 10) < minVersion)
    return lossy(
      `Redis ${version} cannot report whether a worker is alive; version ${minVersion} is required`,
    )
  const unverified: Unverified[] = []
  if (managed) {
    if (appendonly !== true) unverified.push('persistence')
  } else if (appendonly === undefined) {
    return lossy(
      `Redis does not report whether it persists accepted tasks (INFO and CONFIG are refused${hint})`,
    )
  } else if (!appendonly) {
    return lossy(`Redis does not persist accepted tasks (appendonly is off${hint})`)
  }
  if (maxmemory !== 0 && maxmemoryPolicy !== 'noeviction') {
    if (maxmemoryPolicy !== undefined)
      return lossy(`Redis evicts tasks when it is full (maxmemory-policy is ${maxmemoryPolicy})`)
    if (!managed) return lossy('Redis does not report whether it evicts tasks (INFO and CONFIG are refused)')
    unverified.push('eviction')
  }
  return unverified.length === 0 ? { durable: true } : { durable: true, unverified }
}

const hint = '; REDIS_DURABLE=managed is for a platform that persists them'
const lossy = (reason: string): Durability => ({ durable: false, reason })

async function readSettings(send: Send): Promise<ServerSettings> {
  const info = await unlessRefused(() => send('INFO', []))
  const reported = (name: string): string | undefined =>
    new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(String(info ?? ''))?.[1]
  const configured = async (name: string): Promise<string | undefined> =>
    parseConfigReply(await unlessRefused(() => send('CONFIG', ['GET', name])), name)
  const appendonly = reported('aof_enabled') ?? (await configured('appendonly'))
  const maxmemory = reported('maxmemory') ?? (await configured('maxmemory'))
  return {
    version: reported('redis_version'),
    appendonly: appendonly === undefined ? undefined : ['1', 'yes'].includes(appendonly),
    maxmemory: maxmemory === undefined ? undefined : Number(maxmemory),
    maxmemoryPolicy: reported('maxmemory_policy') ?? (await configured('maxmemory-policy')),
  }
}

/** The errors of a server without a command, or of a user who may not run it. */
const refusedCommand = /^(NOPERM|ERR unknown (sub)?command)\b/i

/** @returns undefined when the server has no such command, or does not let this user run it */
async function unlessRefused(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    if (error instanceof DatabaseUnavailable && cause instanceof Error && refusedCommand.test(cause.message))
      return undefined
    throw error
  }
}

/** A map by RESP 3, a list of names and values by RESP 2. */
function parseConfigReply(reply: unknown, name: string): string | undefined {
  const entries = Array.isArray(reply) ? { [String(reply[0])]: reply[1] } : (reply as object | undefined)
  const value = (entries as Record<string, unknown> | undefined)?.[name]
  return value === undefined ? undefined : String(value)
}
