/** As much of a dashboard's JSON as the page reads. */

import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface Dashboard {
  readonly time: { readonly from: string; readonly to: string };
  readonly templating: { readonly list: Variable[] };
  readonly panels: Panel[];
}

export interface Variable {
  readonly type: 'datasource' | 'query';
  readonly name: string;
  readonly label: string;
  readonly query: string;
  readonly multi: boolean;
  readonly includeAll: boolean;
  readonly allValue?: string;
  readonly refresh: number;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: Target[];
  readonly transformations?: DataTransformerConfig[];
  readonly options: Record<string, unknown>;
  readonly fieldConfig: FieldConfigSource;
}

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly format?: 'time_series' | 'table' | 'heatmap';
}
