/** state-timeline: Grafana keeps its own inside the application, so bars in words are drawn here. */

import { type DataFrame, dateTimeFormat, type DisplayValue, formattedValueToString, getFieldDisplayName, type PanelProps } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

import { useDrawn } from './drawn';
import { Empty, isEmpty } from './empty';
import { ticks } from './ticks';

const AXIS = 20;
const LEGEND = 20;
const GAP = 3;
const CHARACTER = 7.2;
const TICK_WIDTH = 110;
const TALLEST = 48;
/** Below this there are bars without words. */
const LOWEST = 13;

interface Span {
  readonly from: number;
  to: number;
  readonly value: number;
}

export function Timeline(props: PanelProps) {
  useDrawn(props);
  const { data, width, height, timeRange, timeZone } = props;
  const theme = useTheme2();
  if (isEmpty(props)) {
    return <Empty {...props} />;
  }
  const names = data.series.map((frame) => getFieldDisplayName(frame.fields[1]!, frame, data.series));
  const left = CHARACTER * Math.max(...names.map((name) => name.length)) + 12;
  const start = timeRange.from.valueOf();
  const end = timeRange.to.valueOf();
  const legend = legendOf(words(data.series, start, end), width - left);
  const legendHeight = LEGEND * (1 + Math.max(...legend.map((each) => each.line)));
  const row = Math.min(TALLEST, (height - AXIS - legendHeight) / names.length);
  const x = (time: number) => left + ((time - start) / (end - start)) * (width - left);
  const bottom = row * names.length;
  return (
    <svg width={width} height={height} fontSize={12} fontFamily="inherit">
      {data.series.map((frame, index) => (
        <g key={index} transform={`translate(0, ${index * row})`}>
          <text x={left - 8} y={row / 2} textAnchor="end" dominantBaseline="central" fill={theme.colors.text.primary}>
            {names[index]}
          </text>
          {spans(frame, start, end).map((span) => (
            <Bar key={span.from} x={x(span.from)} width={x(span.to) - x(span.from)} height={row - GAP} display={shown(frame, span)} />
          ))}
        </g>
      ))}
      {ticks(start, end, (width - left) / TICK_WIDTH).map((time) => (
        <text key={time} x={x(time)} y={bottom + 14} textAnchor="middle" fontSize={11} fill={theme.colors.text.secondary}>
          {dateTimeFormat(time, { timeZone, format: 'HH:mm:ss' })}
        </text>
      ))}
      {legend.map((each) => (
        <g key={each.word} transform={`translate(${left + each.x}, ${bottom + AXIS + each.line * LEGEND})`}>
          <rect y={6} width={12} height={12} rx={2} fill={each.color} />
          <text x={16} y={12} dominantBaseline="central" fill={theme.colors.text.primary}>
            {each.word}
          </text>
        </g>
      ))}
    </svg>
  );
}

function Bar({ x, width, height, display }: { x: number; width: number; height: number; display: DisplayValue }) {
  const word = formattedValueToString(display);
  const theme = useTheme2();
  const hasRoom = height >= LOWEST && width > word.length * CHARACTER + 8;
  return (
    <g>
      <rect x={x} width={Math.max(1, width)} height={height} fill={display.color} />
      {hasRoom && (
        <text x={x + 5} y={height / 2} dominantBaseline="central" fill={theme.colors.getContrastText(display.color ?? '#000', 4)}>
          {word}
        </text>
      )}
    </g>
  );
}

interface Entry {
  readonly word: string;
  readonly color: string | undefined;
  readonly x: number;
  readonly line: number;
}

/** Every word that is shown, once, in as many lines as it takes. */
function legendOf(displays: DisplayValue[], width: number): Entry[] {
  let x = 0;
  let line = 0;
  return displays.map((display) => {
    const word = formattedValueToString(display);
    const long = word.length * CHARACTER + 28;
    if (x > 0 && x + long > width) {
      x = 0;
      line += 1;
    }
    const entry = { word, color: display.color, x, line };
    x += long;
    return entry;
  });
}

/** Equal neighbours as one; where samples are missing, there is a gap. */
function spans(frame: DataFrame, start: number, end: number): Span[] {
  const times: number[] = frame.fields[0]!.values;
  const values: Array<number | null> = frame.fields[1]!.values;
  const step = Math.min(...times.slice(1).map((time, index) => time - times[index]!), end - start);
  const found: Span[] = [];
  values.forEach((value, index) => {
    const from = times[index]!;
    const last = found[found.length - 1];
    const to = Math.min(end, from + step);
    if (value === null) {
      return;
    }
    if (last?.value === value && last.to >= from - step / 2) {
      last.to = to;
    } else {
      found.push({ from: Math.max(start, from), to, value });
    }
  });
  return found;
}

function shown(frame: DataFrame, span: Span): DisplayValue {
  return frame.fields[1]!.display!(span.value);
}

function words(series: DataFrame[], start: number, end: number): DisplayValue[] {
  const all = series.flatMap((frame) => spans(frame, start, end).map((span) => shown(frame, span)));
  return [...new Map(all.map((display) => [formattedValueToString(display), display])).values()];
}
