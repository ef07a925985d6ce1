/** What Prometheus answers, as the frames that Grafana's own data source makes of it. */

import { type DataFrame, type Field, FieldType, toDataFrame } from '@grafana/data';

import type { Target } from './dashboard';

type Labels = Record<string, string>;
type Sample = [number, string];

export interface Result {
  readonly metric: Labels;
  readonly value?: Sample;
  readonly values?: Sample[];
}

/** The frames of one target out of *siblings*. */
export function framesOf(target: Target, results: Result[], siblings: number): DataFrame[] {
  if (target.format === 'table') {
    return results.length > 0 ? [table(target, results, siblings)] : [];
  }
  return results.map((result) => series(target, result));
}

function table(target: Target, results: Result[], siblings: number): DataFrame {
  const labels = [...new Set(results.flatMap((result) => Object.keys(result.metric)))].sort();
  const times = results.map((result) => 1000 * result.value![0]);
  const text = (name: string) => results.map((result) => result.metric[name] ?? '');
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: times },
      ...labels.map((name) => ({ name, type: FieldType.string, values: text(name) })),
      {
        name: siblings > 1 ? `Value #${target.refId}` : 'Value',
        type: FieldType.number,
        values: results.map((result) => number(result.value!)),
      },
    ],
  });
}

function series(target: Target, { metric, value, values }: Result): DataFrame {
  const samples = values ?? (value ? [value] : []);
  const config: Field['config'] = { displayNameFromDS: named(target.legendFormat ?? '', metric) };
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: samples.map(([time]) => 1000 * time) },
      { name: 'Value', type: FieldType.number, labels: metric, values: samples.map(number), config },
    ],
  });
}

/** Null where there is no number: uPlot draws nothing at all if there is a NaN. */
function number([, text]: Sample): number | null {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function named(legend: string, labels: Labels): string {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '');
}
