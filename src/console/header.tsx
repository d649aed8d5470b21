import { accessKey } from './api/access-key.ts'
import { baseUrl } from './api/client.ts'
import { useInstance } from './api/use-instance.ts'
import { formatRoute, type View, views } from './route.ts'

const labels: Readonly<Record<View, string>> = {
  analyze: 'Analyze',
  tasks: 'Tasks',
  documents: 'Documents',
  rollout: 'Rollout',
}

export function Header({ view }: { readonly view: View }) {
  return (
    <header className="top">
      <a className="brand" href={formatRoute('analyze')}>
        Tally
      </a>
      <nav aria-label="Views">
        {views.map((each) => (
          <a key={each} href={formatRoute(each)} aria-current={each === view ? 'page' : undefined}>
            {labels[each]}
          </a>
        ))}
      </nav>
      <InstanceNote />
      <a className="docs-link" href={new URL('docs', baseUrl).pathname}>
        API
      </a>
    </header>
  )
}

/** The instance that answers, or that no instance does. */
function InstanceNote() {
  const { data: instance, problem } = useInstance()
  if (problem?.code === 'unauthorized')
    return (
      <button type="button" className="instance-note" onClick={() => void accessKey.askAgain()}>
        Enter a key
      </button>
    )
  if (problem !== undefined)
    return (
      <span className="instance-note" data-state="unreachable">
        no answer
      </span>
    )
  if (instance === undefined) return <span className="instance-note" />
  return (
    <span className="instance-note" data-state={instance.state} title={`version ${instance.version}`}>
      {instance.name} · {instance.state}
    </span>
  )
}
