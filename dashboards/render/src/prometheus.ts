/** A data source that asks Prometheus straight from the page, in place of Grafana's own. */

import { type DataQueryRequest, type DataQueryResponse, LoadingState, type MetricFindValue } from '@grafana/data';
import { RuntimeDataSource, sceneGraph, type SceneObject, sceneUtils, VizPanel } from '@grafana/scenes';
import { from, type Observable } from 'rxjs';

import type { Target } from './dashboard';
import { framesOf, type Result } from './frames';
import { report } from './report';

export const SOURCE = { uid: 'prometheus-of-the-page', type: 'prometheus' };

const LABEL_VALUES = /^label_values\((?:(.+),\s*)?(\w+)\)$/s;

type Request = DataQueryRequest;
type Scoped = Request['scopedVars'];

class Prometheus extends RuntimeDataSource {
  constructor(
    private readonly url: string,
    private readonly scrapeSeconds: number
  ) {
    super(SOURCE.type, SOURCE.uid);
  }

  query(request: Request): Observable<DataQueryResponse> {
    return from(this.answer(request));
  }

  testDatasource = () => Promise.resolve({ status: 'success', message: '' });

  /** The values of a variable. */
  async metricFindQuery(query: unknown, options?: { scopedVars?: Scoped }): Promise<MetricFindValue[]> {
    const text = interpolated(query as string, options?.scopedVars ?? {}, {});
    const [, selector, label] = LABEL_VALUES.exec(text) ?? [];
    if (label === undefined) {
      throw report.fail(`no query for a variable: ${text}`);
    }
    const values = await this.ask<string[]>('variable', text, `label/${label}/values`, selector ? { 'match[]': selector } : {});
    return values.map((value) => ({ text: value, value }));
  }

  private async answer(request: Request): Promise<DataQueryResponse> {
    const scene = sceneOf(request.scopedVars);
    const panel = scene ? sceneGraph.getAncestor(scene, VizPanel).state.title : '';
    const each = request.targets.map((target) => this.frames(panel, target as unknown as Target, request));
    return { data: (await Promise.all(each)).flat(), state: LoadingState.Done };
  }

  private async frames(panel: string, target: Target, request: Request) {
    const step = Math.max(this.scrapeSeconds, Math.ceil(request.intervalMs / 1000));
    const start = request.range.from.valueOf() / 1000;
    const end = request.range.to.valueOf() / 1000;
    const expr = interpolated(target.expr, request.scopedVars, {
      // As Grafana has it: at least four scrapes.
      __rate_interval: `${Math.max(step + this.scrapeSeconds, 4 * this.scrapeSeconds)}s`,
      __range: `${Math.round(end - start)}s`,
    });
    const at: Record<string, string> = target.instant ? { time: `${end}` } : { start: `${start}`, end: `${end}`, step: `${step}` };
    const path = target.instant ? 'query' : 'query_range';
    const { result } = await this.ask<{ result: Result[] }>(panel, expr, path, { query: expr, ...at });
    return framesOf(target, result, request.targets.length);
  }

  private async ask<T>(who: string, expr: string, path: string, parameters: Record<string, string>): Promise<T> {
    const answered = report.ask(who, expr);
    const body = await this.fetched(path, parameters);
    for (const problem of [...(body.warnings ?? []), ...(body.error ? [body.error] : [])]) {
      report.fail(`${who}: ${problem}: ${expr}`);
    }
    answered(body.data ? (body.data.result ?? body.data).length : 0);
    return body.data ?? { result: [] };
  }

  private async fetched(path: string, parameters: Record<string, string>) {
    try {
      const reply = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
      return await reply.json();
    } catch (error) {
      return { error: `${this.url} does not answer: ${error}` };
    }
  }
}

export function registerPrometheus(url: string, scrapeSeconds: number) {
  sceneUtils.registerRuntimeDataSource({ dataSource: new Prometheus(url, scrapeSeconds) });
}

function sceneOf(scoped: Scoped): SceneObject | undefined {
  return scoped.__sceneObject?.value?.valueOf();
}

function interpolated(text: string, scoped: Scoped, builtIn: Record<string, string>): string {
  const values = Object.fromEntries(Object.entries(builtIn).map(([name, value]) => [name, { text: value, value }]));
  const scene = sceneOf(scoped);
  return scene ? sceneGraph.interpolate(scene, text, { ...scoped, ...values }, alternatives) : text;
}

/** Several values of a variable, as a regular expression has them. */
function alternatives(value: unknown): string {
  return Array.isArray(value) ? `(${value.join('|')})` : String(value);
}
