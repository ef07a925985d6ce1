/** heatmap: Grafana keeps its own inside the application, so buckets over time are drawn here. */

import { type DataFrame, dateTimeFormat, formattedValueToString, getValueFormat, type PanelProps } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

import { useDrawn } from './drawn';
import { Empty, isEmpty } from './empty';
import { ticks } from './ticks';

const LEFT = 64;
const AXIS = 20;
const TICK_WIDTH = 90;
/** From few to many, of one hue. */
const LIGHTEST = [222, 235, 247] as const;
const DARKEST = [8, 48, 107] as const;

interface Bucket {
  readonly bound: number;
  readonly times: number[];
  /** How many fell into it and not into the one below. */
  readonly counts: number[];
}

export function Heatmap(props: PanelProps) {
  useDrawn(props);
  const { data, width, height, timeRange, timeZone, fieldConfig } = props;
  const theme = useTheme2();
  const buckets = used(bucketsOf(data.series));
  if (isEmpty(props) || buckets.length === 0) {
    return <Empty {...props} />;
  }
  const start = timeRange.from.valueOf();
  const end = timeRange.to.valueOf();
  const most = Math.max(...buckets.flatMap((bucket) => bucket.counts));
  const times = buckets[0]!.times;
  const step = times.length > 1 ? times[1]! - times[0]! : end - start;
  const row = (height - AXIS) / buckets.length;
  const x = (time: number) => LEFT + ((time - start) / (end - start)) * (width - LEFT);
  const format = getValueFormat(fieldConfig.defaults.unit);
  return (
    <svg width={width} height={height} fontSize={11} fontFamily="inherit">
      {buckets.map((bucket, index) => {
        const y = height - AXIS - (index + 1) * row;
        return (
          <g key={bucket.bound}>
            <text x={LEFT - 8} y={y + row / 2} textAnchor="end" dominantBaseline="central" fill={theme.colors.text.secondary}>
              {Number.isFinite(bucket.bound) ? `≤ ${formattedValueToString(format(bucket.bound))}` : 'longer'}
            </text>
            <line x1={LEFT} x2={width} y1={y + row} y2={y + row} stroke={theme.colors.border.weak} />
            {bucket.counts.map((count, at) => count > 0 && (
              <rect key={at} x={x(bucket.times[at]!) - (step / (end - start)) * (width - LEFT)} y={y + 0.5}
                width={Math.max(1, (step / (end - start)) * (width - LEFT) - 0.5)} height={row - 1} fill={shade(count / most)} />
            ))}
          </g>
        );
      })}
      {ticks(start, end, (width - LEFT) / TICK_WIDTH).map((time) => (
        <text key={time} x={x(time)} y={height - 5} textAnchor="middle" fill={theme.colors.text.secondary}>
          {dateTimeFormat(time, { timeZone, format: 'HH:mm:ss' })}
        </text>
      ))}
    </svg>
  );
}

/** Prometheus's buckets hold all that is smaller, too; here each holds its own. */
function bucketsOf(series: DataFrame[]): Bucket[] {
  const cumulative = series
    .map((frame) => ({
      bound: Number(String(frame.fields[1]!.labels?.le).replace('+Inf', 'Infinity')),
      times: frame.fields[0]!.values as number[],
      counts: frame.fields[1]!.values as Array<number | null>,
    }))
    .sort((a, b) => a.bound - b.bound);
  return cumulative.map(({ bound, times, counts }, index) => {
    const below = cumulative[index - 1]?.counts ?? [];
    // increase() extrapolates, so that a difference of nothing may be a little more than that.
    const own = counts.map((count, at) => Math.round(((count ?? 0) - (below[at] ?? 0)) * 10) / 10);
    return { bound, times, counts: own };
  });
}

/** Without the empty buckets below and above all that has something, but for one. */
function used(buckets: Bucket[]): Bucket[] {
  const filled = buckets.flatMap((bucket, index) => (bucket.counts.some((count) => count > 0) ? [index] : []));
  return filled.length === 0 ? [] : buckets.slice(Math.max(0, filled[0]! - 1), filled[filled.length - 1]! + 2);
}

function shade(share: number): string {
  const mixed = LIGHTEST.map((light, index) => Math.round(light + (DARKEST[index]! - light) * Math.sqrt(share)));
  return `rgb(${mixed.join(', ')})`;
}
