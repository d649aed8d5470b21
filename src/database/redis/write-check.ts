/** The server's conditions for the scripts. */
export interface Needs {
  /** Names of commands. */
  readonly commands: readonly string[]
  /** Keys, or their common beginnings. */
  readonly keys: readonly string[]
}

/**
 * Without a flag, Redis 7 refuses to start such a script where it would refuse a write: on a replica, without memory or
 * disk, without the replicas that it needs. Then the script checks for each command whether the user may run it.
 */
const source = `#!lua
for _, name in ipairs(ARGV) do
  if not redis.acl_check_cmd(name, KEYS[1], KEYS[1], KEYS[1]) then
    return redis.error_reply('NOPERM this user has no permissions to run the command ' .. name)
  end
end
return 1`

/** The arguments of an EVAL that fails where a script with these needs would fail, and writes nothing. */
export function writeCheck({ commands, keys }: Needs): readonly string[] {
  return [source, `${keys.length}`, ...keys, ...commands]
}
