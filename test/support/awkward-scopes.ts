/**
 * Scopes and keys that a store might confuse or fail to store: subjects of tokens are any text, keys any visible ASCII.
 */
export const awkwardScopes: readonly { readonly scope: string; readonly key: string }[] = [
  { scope: 'POST /x', key: 'a' },
  { scope: 'POST /x "sub:a"', key: 'b:c' },
  { scope: 'POST /x "sub:a":b', key: 'c' },
  { scope: 'POST /x "sub:a"%3Ab', key: 'c' },
  { scope: 'POST /x "sub:a:b"', key: 'c' },
  { scope: 'POST /x "sub:A"', key: 'b:c' },
  { scope: 'POST /x "sub:é"', key: 'c' },
  { scope: 'POST /x "sub:e\u0301"', key: 'c' },
  { scope: `POST /x ${JSON.stringify(`sub:${'\0\ud800😀'.repeat(64)}`)}`, key: '~'.repeat(255) },
]
