import { describe, expect, test } from 'bun:test'
import { readEntries } from '../../tools/helm-values.ts'

describe('the entries of values.yaml', () => {
  test('are the keys with a comment, by path; the keys below belong to them', () => {
    const text = [
      '# The file',
      '',
      '# The name',
      'name: ""',
      'image:',
      '  # Tag,',
      '  # such as 1',
      '  tag: ""',
      '# Requests',
      'resources:',
      '  requests:',
      '    # Half a core',
      '    cpu: 500m',
      'probes:',
      '  # Started?',
      '  startup:',
      '    - periodSeconds: 1',
    ]
    expect(readEntries(text.join('\n'))).toEqual([
      { path: ['name'], description: 'The name' },
      { path: ['image', 'tag'], description: 'Tag, such as 1' },
      { path: ['resources'], description: 'Requests' },
      { path: ['probes', 'startup'], description: 'Started?' },
    ])
  })

  test('must have a comment each', () => {
    expect(() => readEntries('image:\n  # Tag\n  tag: ""\n  digest: ""')).toThrow(
      'image.digest has no comment',
    )
  })
})
