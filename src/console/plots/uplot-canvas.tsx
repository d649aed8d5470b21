import { useEffect, useRef } from 'react'
import uPlot from 'uplot'

export type PlotOptions = Omit<uPlot.Options, 'width' | 'height'>

/**
 * A uPlot chart that fills the available width.
 *
 * @param options must be stable: new options create a new plot
 * @param height in CSS pixels
 */
export function UPlotCanvas(props: {
  readonly options: PlotOptions
  readonly data: uPlot.AlignedData
  readonly height: number
}) {
  const { options, data, height } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const latest = useRef(data)

  useEffect(() => {
    const element = place.current
    if (element === null) return
    const created = new uPlot({ ...options, width: element.clientWidth, height }, latest.current, element)
    plot.current = created
    const resizes = new ResizeObserver(() => created.setSize({ width: element.clientWidth, height }))
    resizes.observe(element)
    const stopFollowing = followTheme(() => created.redraw(false, true))
    return () => {
      stopFollowing()
      resizes.disconnect()
      created.destroy()
    }
  }, [options, height])

  useEffect(() => {
    latest.current = data
    plot.current?.setData(data)
  }, [data])

  return <div className="plot" ref={place} />
}

/** Calls back when the page's colors change. */
function followTheme(onChange: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) =>
    matchMedia(query),
  )
  for (const query of queries) query.addEventListener('change', onChange)
  return () => {
    for (const query of queries) query.removeEventListener('change', onChange)
  }
}

/** Reads a color of the style sheet for each drawing, because it changes with the theme. */
export function themeColor(variable: string): () => string {
  return () => getComputedStyle(document.documentElement).getPropertyValue(variable).trim()
}

/**
 * An axis in the page's colors.
 *
 * @param size the space for its labels, in CSS pixels
 */
export const axis = (size: number, options: uPlot.Axis = {}): uPlot.Axis => ({
  size,
  stroke: themeColor('--quiet'),
  grid: { stroke: themeColor('--line'), width: 1 },
  ticks: { show: false },
  font: '12px system-ui, sans-serif',
  ...options,
})
