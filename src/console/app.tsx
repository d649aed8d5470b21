import { type ComponentType, useEffect, useRef } from 'react'
import { AnalyzeView } from './analyze/analyze-view.tsx'
import { KeyDialog } from './api/key-dialog.tsx'
import { DocumentsView } from './documents/documents-view.tsx'
import { Header } from './header.tsx'
import { RolloutView } from './rollout/rollout-view.tsx'
import { type Route, useRoute, type View } from './route.ts'
import { TasksView } from './tasks/tasks-view.tsx'

const components: Readonly<Record<View, ComponentType<Pick<Route, 'params'>>>> = {
  analyze: AnalyzeView,
  tasks: TasksView,
  documents: DocumentsView,
  rollout: RolloutView,
}

export function App() {
  const { view, params } = useRoute()
  const main = useFocusOnChange(view)
  const Current = components[view]
  return (
    <>
      <button type="button" className="skip-link" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <Header view={view} />
      <main id="main" ref={main} tabIndex={-1}>
        <Current params={params} />
      </main>
      <KeyDialog />
    </>
  )
}

/** Moves the focus to the content when the view changes, so that screen readers start there. */
function useFocusOnChange(view: View) {
  const main = useRef<HTMLElement>(null)
  const shown = useRef(view)
  useEffect(() => {
    document.title = `${titleOf(view)} · Tally`
    if (shown.current !== view) main.current?.focus()
    shown.current = view
  }, [view])
  return main
}

const titleOf = (view: View): string => view.charAt(0).toUpperCase() + view.slice(1)
